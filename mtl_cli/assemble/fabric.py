"""Lightning Fabric from the config, with a precision that the hardware really has."""

from __future__ import annotations

import functools
import logging
import os
import time
import warnings

import torch
from lightning_fabric import Fabric

from mtl_cli.config.schema import FabricSection
from mtl_cli.errors import ConfigError, Fault, did_you_mean
from mtl_cli.threads import cores, others_now, threads_beside

log = logging.getLogger(__name__)

_PRECISIONS = ("auto", "32-true", "bf16-mixed", "bf16-true")
_STRATEGIES = {"auto": "auto", "ddp": "ddp_spawn"}


def make_fabric(section: FabricSection) -> Fabric:
    """A Fabric that is not launched yet.

    Raises:
        ConfigError: no such accelerator, strategy or precision, or fewer devices than asked for.
    """
    faults = []
    if section.precision not in _PRECISIONS:
        faults.append(
            Fault(
                "fabric.precision",
                f"unknown precision '{section.precision}'. {did_you_mean(section.precision, _PRECISIONS)}",
            )
        )
    if section.strategy not in _STRATEGIES:
        faults.append(
            Fault(
                "fabric.strategy",
                f"unknown strategy '{section.strategy}'. {did_you_mean(section.strategy, _STRATEGIES)}",
            )
        )
    if section.num_nodes > 1 and "MASTER_ADDR" not in os.environ:
        faults.append(
            Fault(
                "fabric.num_nodes",
                "several machines need MASTER_ADDR in the environment",
            )
        )
    if faults:
        raise ConfigError(faults)
    several = section.devices not in (1, "1", "auto") or section.num_nodes > 1
    strategy = "ddp_spawn" if several else _STRATEGIES[section.strategy]
    try:
        with warnings.catch_warnings():
            # A GPU that is not used is a choice here, not an oversight.
            warnings.simplefilter("ignore")
            probe = Fabric(
                accelerator=section.accelerator, devices=section.devices, num_nodes=section.num_nodes, strategy=strategy
            )
            precision = _precision(section.precision, probe.device)
            if precision == "32-true":
                return probe
            return Fabric(
                accelerator=section.accelerator,
                devices=section.devices,
                num_nodes=section.num_nodes,
                strategy=strategy,
                precision=precision,  # type: ignore[arg-type]
            )
    except (ValueError, RuntimeError, TypeError, ImportError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        remedy = (
            "Check fabric.accelerator and fabric.devices (auto, a number from 1, or a list of indices such as [0,1])"
        )
        raise ConfigError([Fault("fabric", f"{reason}. {remedy}")]) from error


def use_threads(section: FabricSection, *, recorded: int | None = None, processes: int = 1) -> int:
    """Set how many threads compute in this process, and return it.

    Args:
        section: asks for a number, or for one that suits the load of the machine.
        recorded: the number that a run began with, which is resumed: its last digits depend on it.
        processes: how many share this machine's free cores.
    """
    count = section.threads or recorded or _free_threads(processes)
    if recorded is not None and count != recorded:
        log.warning(
            "threads  %d; the run began with %d: its numbers may differ in their last digits from those of a run without a stop",
            count, recorded,
        )  # fmt: skip
    elif recorded is not None and count != torch.get_num_threads():
        log.info("threads  %d, which the run began with: another number may round scores differently", count)
    if count != torch.get_num_threads():
        torch.set_num_threads(count)
    return count


def _free_threads(processes: int) -> int:
    most = _threads_of_torch()
    if most == 1 or any(name in os.environ for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")):
        return most  # torch has read the variable
    others = others_now()
    count = max(1, threads_beside(others, most) // processes)
    if processes == 1 and count < most:
        log.info(
            "threads  %d: other programs keep %.1f of %d cores busy (fabric.threads=%d takes all)",
            count,
            others,
            cores(),
            most,
        )
    return count


@functools.cache
def _threads_of_torch() -> int:
    """What torch chose when it was loaded; remembered, since a run of this process may have set another number."""
    return torch.get_num_threads()


def precision_of(fabric: Fabric) -> str:
    """Fabric's name of the precision that it computes in."""
    return str(fabric._precision.precision)


def _precision(asked: str, device: torch.device) -> str:
    if asked == "auto":
        has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16-mixed" if has_bf16 else "32-true"
    if asked.startswith("bf16") and device.type == "cpu":
        ratio = bf16_time_ratio()
        if ratio > 1:
            log.warning(
                "fabric.precision=%s: a bf16 product takes %.0f times as long as fp32 on this processor; 32-true is faster.",
                asked,
                ratio,
            )
    return asked


def bf16_time_ratio(size: int = 256, repeats: int = 3) -> float:
    """Time of a bf16 matrix product over that of an fp32 one on this processor, best of a few."""

    def best(dtype: torch.dtype) -> float:
        a = torch.ones(size, size, dtype=dtype)
        a @ a
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            a @ a
            times.append(time.perf_counter() - began)
        return min(times)

    return best(torch.bfloat16) / best(torch.float32)

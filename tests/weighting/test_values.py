"""Weights and directions against numbers worked out by hand, against scipy and numpy, and against TorchJD on the whole matrix."""

import importlib.util
import itertools
import math
import sys

import numpy as np
import pytest
import torch
import torchjd.aggregation as torchjd
from scipy.optimize import minimize, root
from torchjd import scalarization

from mtl_cli.errors import ConfigError
from mtl_cli.weighting.base import BadStep, Chosen, TaskGradients
from mtl_cli.weighting.gradient import AliveRows, alive
from tests.weighting.fakes import METHODS, Bowl, Bowls, build, one_step, train

CONFLICT = torch.tensor([[2.0, 1.0, 0.0, 0.0], [-1.0, 1.0, 1.0, 0.0]])
"""G = [[5, -1], [-1, 3]]."""
AGREE = torch.tensor([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
THREE = torch.tensor([[2.0, 1.0, 0.0, -1.0], [-1.0, 1.0, 1.0, 0.5], [0.5, -2.0, 0.5, 1.0]])
MATRICES = {"conflict": CONFLICT, "agree": AGREE, "three": THREE}
every_matrix = pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)


def rows_of(matrix_PN, losses=None):
    """A step's gradients, all with weight 1."""
    p = len(matrix_PN)
    losses_K = torch.ones(p) if losses is None else torch.tensor(losses)
    gradients = TaskGradients(tuple(range(p)), losses_K, matrix_PN.clone())
    return gradients, alive(gradients, torch.ones(p))


def aggregated(name, matrix_PN, *, step=0, losses=None, weighting=None, **options):
    weighting = weighting or build(name, "abcdef"[: len(matrix_PN)], **options)
    gradients, rows = rows_of(matrix_PN, losses)
    return weighting.aggregate(gradients, rows, step)


def weights(name, matrix_PN, **options):
    return aggregated(name, matrix_PN, **options).weights_P.double().numpy()


def shortest(objective, count):
    """The minimum of a convex function on the simplex."""
    found = minimize(
        objective, np.full(count, 1 / count), method="SLSQP", bounds=[(0, 1)] * count, options={"ftol": 1e-14, "maxiter": 500},
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )  # fmt: skip
    assert found.success
    return found.x


def gramian(matrix_PN):
    wide = matrix_PN.double().numpy()
    return wide @ wide.T


def test_every_weighting_that_has_weights_gives_the_direction_that_they_say():
    found = aggregated("upgrad", THREE)
    torch.testing.assert_close(found.direction_N, found.weights_P @ THREE)


# Two tasks with shared optimum s_i: theta = 0, so g_i = -centre_i.


def test_pcgrad_takes_each_conflicting_part_out_by_hand():
    # g1' = g1 + 1/3 g2, g2' = g2 + 1/5 g1
    assert weights("pcgrad", CONFLICT) == pytest.approx([1 + 1 / 5, 1 + 1 / 3])
    assert weights("pcgrad", AGREE) == pytest.approx([1, 1])


def test_mgda_of_two_tasks_by_hand():
    # a = (g2 - g1) . g2 / |g1 - g2|^2 = (3 + 1) / (5 + 3 + 2)
    assert weights("mgda", CONFLICT) == pytest.approx([2 * 0.4, 2 * 0.6], abs=1e-5)
    # The first is the shortest vector of the hull by itself.
    assert weights("mgda", AGREE) == pytest.approx([2, 0], abs=1e-5)


@every_matrix
def test_mgda_is_the_shortest_vector_of_the_hull(matrix):
    count, g = len(matrix), gramian(matrix)
    found = weights("mgda", matrix, epsilon=1e-9, max_iters=5000) / count
    expected = shortest(lambda w: w @ g @ w, count)
    assert found @ g @ found == pytest.approx(expected @ g @ expected, rel=1e-3, abs=1e-5)
    assert found.sum() == pytest.approx(1)
    assert min(found) >= 0


@pytest.mark.parametrize("c", [0.0, 0.4, 0.9])
@every_matrix
def test_cagrad_is_the_paper_s_program(matrix, c):
    count, g = len(matrix), gramian(matrix)
    mean = np.full(count, 1 / count)
    phi = c * math.sqrt(mean @ g @ mean)
    w = shortest(lambda w: w @ g @ mean + phi * math.sqrt(w @ g @ w + 1e-16), count)
    expected = mean + phi / math.sqrt(w @ g @ w) * w
    found = weights("cagrad", matrix, c=c, rescale="none") / count
    assert found @ matrix.double().numpy() == pytest.approx(expected @ matrix.double().numpy(), rel=1e-3, abs=1e-3)
    assert weights("cagrad", matrix, c=c, rescale="1+c^2") / count == pytest.approx(found / (1 + c * c))


@pytest.mark.parametrize("c", [1e12, 1e30])
def test_a_program_that_its_solver_gives_up_is_a_bad_step(c):
    with pytest.raises(BadStep, match="weights cannot be found: the solver gives up"):
        weights("cagrad", CONFLICT, c=c, rescale="none")


@every_matrix
def test_imtl_g_projects_the_same_on_every_gradient(matrix):
    found = aggregated("imtl_g", matrix)
    assert found.weights_P.sum().item() == pytest.approx(len(matrix), rel=1e-4)
    projections = matrix @ found.direction_N / matrix.norm(dim=1)
    assert projections.tolist() == pytest.approx([projections[0].item()] * len(matrix), rel=1e-4, abs=1e-5)
    v = np.linalg.pinv(gramian(matrix)) @ np.sqrt(np.diag(gramian(matrix)))
    assert found.weights_P.numpy() == pytest.approx(len(matrix) * v / v.sum(), rel=1e-4)


@every_matrix
def test_config_is_torchjd_s_on_the_dense_matrix(matrix):
    expected = torchjd.ConFIG()(matrix.double())
    assert aggregated("config", matrix).direction_N.numpy() == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-5)


def test_config_by_hand():
    # Perpendicular gradients of lengths 1 and 2: u is their bisector, (1 + 2) / sqrt 2 long along it.
    found = aggregated("config", torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
    assert found.direction_N.tolist() == pytest.approx([1.5, 1.5])


@every_matrix
def test_nash_mtl_solves_g_w_is_one_over_w_and_is_cut_to_its_greatest_length(matrix):
    g = gramian(matrix)
    solved = root(lambda w: g @ w - 1 / w, np.ones(len(g)), tol=1e-12).x
    free = weights("nash_mtl", matrix, max_norm=0.0)
    assert free == pytest.approx(solved, rel=2e-3)
    cut = aggregated("nash_mtl", matrix, max_norm=0.5).direction_N
    assert cut.norm().item() == pytest.approx(0.5, rel=1e-4)
    assert torch.cosine_similarity(cut, torch.tensor(solved).float() @ matrix, dim=0).item() == pytest.approx(
        1, abs=1e-4
    )


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("scale", [1.0, 100.0])
@every_matrix
def test_fairgrad_solves_its_equation(matrix, alpha, scale):
    found = weights("fairgrad", scale * matrix, alpha=alpha)
    assert gramian(scale * matrix) @ found == pytest.approx(found ** (-1 / alpha), rel=1e-3)


def test_fairgrad_with_one_is_nash_mtl_and_takes_back_what_a_loss_is_multiplied_by():
    assert build("fairgrad", alpha=1.0).scale_free
    assert not build("fairgrad", alpha=2.0).scale_free


def dual_cone(g, wish):
    """argmin v^T G v with v >= wish."""
    found = minimize(
        lambda v: v @ g @ v, wish + 0.1, jac=lambda v: 2 * g @ v, method="SLSQP", bounds=[(u, None) for u in wish],
        options={"ftol": 1e-15, "maxiter": 1000},
    )  # fmt: skip
    return found.x


@every_matrix
def test_upgrad_projects_each_gradient_and_dualproj_their_mean(matrix):
    count, g = len(matrix), gramian(matrix)
    each = sum(dual_cone(g, np.eye(count)[i] / count) for i in range(count))
    assert weights("upgrad", matrix) == pytest.approx(count * each, rel=5e-3, abs=5e-3)
    mean = dual_cone(g, np.full(count, 1 / count))
    assert weights("dualproj", matrix) == pytest.approx(count * mean, rel=5e-3, abs=5e-3)


@pytest.mark.parametrize("name", ["upgrad", "dualproj"])
@every_matrix
def test_upgrad_and_dualproj_harm_no_task(name, matrix):
    assert (matrix @ aggregated(name, matrix).direction_N).min() > -1e-3


def test_aligned_mtl_is_the_sum_of_gradients_made_orthogonal():
    # U V^T of J = U S V^T, times the least singular value: the columns' sum.
    u, s, vt = np.linalg.svd(THREE.double().numpy(), full_matrices=False)
    expected = (s.min() * u @ vt).sum(0)
    assert aggregated("aligned_mtl", THREE).direction_N.numpy() == pytest.approx(expected, rel=1e-3, abs=1e-4)


OF_TORCHJD = {
    "upgrad": (torchjd.UPGrad(), 1), "dualproj": (torchjd.DualProj(), 1), "mgda": (torchjd.MGDA(1e-3, 100), 1),
    "cagrad": (torchjd.CAGrad(0.5), 1 / 1.25), "aligned_mtl": (torchjd.AlignedMTL(), 1), "imtl_g": (torchjd.IMTLG(), 1),
    "pcgrad": (torchjd.PCGrad(), None), "gradvac": (torchjd.GradVac(0.5), None), "fairgrad": (torchjd.FairGrad(1.0), None),
    "config": (torchjd.ConFIG(), None), "pcd": (torchjd.PCD(), None),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_TORCHJD)
@every_matrix
def test_gramian_methods_are_torchjd_s_on_the_matrix_times_the_number_of_tasks_where_they_average(name, matrix):
    aggregator, factor = OF_TORCHJD[name]
    getattr(aggregator, "reset", lambda: None)()
    torch.manual_seed(0)
    expected = aggregator(matrix.double()) * (1 if factor is None else factor * len(matrix))
    torch.manual_seed(0)
    found = aggregated(name, matrix).direction_N
    assert found.numpy() == pytest.approx(expected.numpy(), rel=5e-3, abs=5e-3)


@pytest.mark.parametrize("name", ["upgrad", "dualproj", "mgda", "cagrad", "aligned_mtl", "imtl_g", "pcgrad", "gradvac"])
def test_tasks_that_are_alike_and_do_not_conflict_get_about_the_plain_sum(name):
    square = torch.eye(2)
    expected = {"cagrad": [1.5 / 1.25] * 2}.get(name, [1, 1])
    assert aggregated(name, square).direction_N.tolist() == pytest.approx(expected, rel=1e-3)


def test_graddrop_keeps_one_sign_a_coordinate():
    matrix = torch.tensor([[1.0, 1.0, -1.0, 3.0, 0.0], [2.0, -1.0, -2.0, -1.0, 0.0]])
    firsts = set()
    for seed in range(40):
        torch.manual_seed(seed)
        found = aggregated("graddrop", matrix).direction_N.tolist()
        assert found[0] == 3
        assert found[2] == -3
        assert found[4] == 0
        assert found[1] in (1.0, -1.0)
        assert found[3] in (3.0, -1.0)
        firsts.add((found[1], found[3]))
    assert len(firsts) == 4


def test_graddrop_s_leak_lets_a_share_through():
    assert aggregated("graddrop", CONFLICT, leak=1.0).direction_N.tolist() == CONFLICT.sum(0).tolist()


def test_gradvac_brings_a_pair_up_to_its_usual_cosine_by_hand():
    weighting = build("gradvac", beta=0.5)
    weighting._cosines_KK[0, 1] = weighting._cosines_KK[1, 0] = 0.6
    matrix = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    # phi = 0 < 0.6: g1 += |g1| (0.6 sqrt(1 - 0) - 0) / (|g2| sqrt(1 - 0.36)) g2 = 0.375 g2, and g2 += 1.5 g1.
    found = aggregated("gradvac", matrix, weighting=weighting)
    assert found.weights_P.tolist() == pytest.approx([1 + 1.5, 1 + 0.375])
    assert weighting.state_dict()["cosines"].tolist() == [pytest.approx([0, 0.3]), pytest.approx([0.3, 0])]


def test_pcd_by_hand():
    # Lengths are 1 in the first step; g1 . g2 = -0.6: d = g1 + mu g2 with g2 . d = tau, then as long as g1.
    matrix = torch.tensor([[1.0, 0.0], [-0.6, 0.8]])
    mu = 0.02 + 0.6
    d = np.array([1 - 0.6 * mu, 0.8 * mu])
    found = aggregated("pcd", matrix, primary="a").direction_N
    assert found.numpy() == pytest.approx(d / np.linalg.norm(d), rel=1e-4)
    assert aggregated("pcd", matrix.flip(0), primary="b").direction_N.numpy() == pytest.approx(found.numpy(), rel=1e-4)


def test_cr_mogm_smooths_the_weights_of_another_method():
    weighting = build("cr_mogm", of="mgda", alpha=0.75)
    assert aggregated("", CONFLICT, weighting=weighting).weights_P.tolist() == pytest.approx([0.8, 1.2], abs=1e-5)
    second = aggregated("", CONFLICT.flip(0), weighting=weighting).weights_P
    assert second.tolist() == pytest.approx([0.75 * 0.8 + 0.25 * 1.2, 0.75 * 1.2 + 0.25 * 0.8], abs=1e-5)


@pytest.mark.parametrize("of", ["mgda", "pcgrad", "upgrad", "dualproj", "imtl_g"])
def test_cr_mogm_s_first_step_is_that_of_the_other_method(of):
    assert weights("cr_mogm", CONFLICT, of=of) == pytest.approx(weights(of, CONFLICT), rel=1e-5)


def test_excess_mtl_by_hand():
    weighting = build("excess_mtl", warmup_steps=1, eta=0.5)
    matrix = torch.tensor([[3.0, 4.0], [0.6, 0.8]])
    assert aggregated("", matrix, weighting=weighting).weights_P.tolist() == [1, 1]
    # sum g^2 / sqrt(S): |g|_1 at first (7 and 1.4). Then, S = g^2 + g'^2, over that.
    second = torch.tensor([[6.0, 8.0], [0.6, 0.8]])
    risks = [(36 / math.sqrt(45) + 64 / math.sqrt(80)) / 7, (0.36 / math.sqrt(0.72) + 0.64 / math.sqrt(1.28)) / 1.4]
    expected = np.exp(0.5 * np.array(risks))
    found = aggregated("", second, weighting=weighting).weights_P
    assert found.tolist() == pytest.approx((2 * expected / expected.sum()).tolist(), rel=1e-4)


def test_db_mtl_by_hand_for_two_steps():
    weighting = build("db_mtl", beta=0.75, sigma=1.0)
    first, second = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 2.0], [0.0, 1.0]])
    # g / L, a quarter of it in the first step, brought to the longest length, summed.
    found = aggregated("", first, weighting=weighting, losses=[2.0, 0.5])
    assert found.direction_N.tolist() == pytest.approx([0.5, 0.5])
    assert found.weights_P.isnan().all()
    # beta_2 = 0.375: y1 = 0.375 (0.25, 0) + 0.625 (0, 1), y2 = 0.375 (0, 0.5) + 0.625 (0, 2)
    y1, y2 = np.array([0.09375, 0.625]), np.array([0.0, 1.4375])
    expected = y1 * 1.4375 / np.linalg.norm(y1) + y2
    assert aggregated("", second, weighting=weighting, losses=[2.0, 0.5]).direction_N.numpy() == pytest.approx(expected)


def test_moco_by_hand_for_two_steps():
    options = {"beta": 0.5, "beta_sigma": 0.0, "gamma": 0.1, "gamma_sigma": 1.0, "rho": 0.2}
    weighting = build("moco", **options)
    y, w = np.zeros((2, 4)), np.array([0.5, 0.5])
    for step, losses in enumerate(([2.0, 0.5], [1.0, 3.0])):
        matrix = CONFLICT.double().numpy()
        aims = matrix / np.linalg.norm(matrix, axis=1, keepdims=True) * np.array(losses)[:, None]
        y += 0.5 * (aims - y)
        w = w - 0.1 / (step + 1) * (y @ y.T + 0.2 * np.eye(2)) @ w
        w = np.exp(w) / np.exp(w).sum()
        found = aggregated("", CONFLICT, weighting=weighting, losses=losses, step=step)
        assert found.direction_N.numpy() == pytest.approx(2 * w @ y, rel=1e-5)


def test_modo_by_hand():
    weighting = build("modo", gamma=0.1, rho=0.5)
    crossed = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
    # w - 0.1 (A w + 0.5 w) = (0.5 - 0.175, 0.5 - 0.075), moved back to the sum of 1
    assert weighting.independent_weights(crossed).tolist() == pytest.approx([0.45, 0.55])
    assert weighting.state_dict()["weights"].tolist() == pytest.approx([0.45, 0.55])


def test_sdmgrad_is_its_program_when_iterated_long():
    a = np.array([[1.0, -0.5], [-0.5, 2.0]])
    weighting = build("sdmgrad", lr=0.1, iterations=2000, preference=0.3)
    even = np.full(2, 0.5)
    w = shortest(lambda w: (w + 0.3 * even) @ a @ (w + 0.3 * even), 2)
    found = weighting.independent_weights(torch.tensor(a))
    assert found.numpy() == pytest.approx((w + 0.3 * even) / 1.3, abs=1e-4)


# Methods on losses: two bowls, theta = 0, heads 0. L_i = (|centre|^2 + aim^2) / 2 + floor.

FOUR, ONE = Bowl((2.0, 0.0, 0.0, 0.0), aim=2.0), Bowl((0.0, 1.0, 0.0, 0.0), aim=1.0)
"""L = 4 and 1."""


def used(name, lambdas=None, bowls=(FOUR, ONE), step=0, weighting=None, **options):
    """Weights of one step, checked against what came to the model."""
    weighting = weighting or build(name, "abc"[: len(bowls)], lambdas, **options)
    model = Bowls(bowls)
    _, weighted = one_step(weighting, model, step=step)
    w = weighted.weights_K.tolist()
    expected = -sum(w[k] * b.factor * torch.tensor(b.centre) for k, b in enumerate(bowls))
    torch.testing.assert_close(model.shared_gradient(), expected, rtol=1e-4, atol=1e-6)
    assert model.head_gradients() == pytest.approx([-w[k] * b.factor * b.aim for k, b in enumerate(bowls)], rel=1e-4)
    return w


def test_static_sum_and_mean():
    assert used("static", [0.5, 3.0]) == [0.5, 3.0]
    assert used("sum") == [1, 1]
    assert used("mean", [0.5, 3.0]) == [0.25, 1.5]


def test_uncertainty_by_hand():
    weighting = build("uncertainty", lambdas=[1.0, 3.0], log_variance=math.log(2))
    assert used("", weighting=weighting) == pytest.approx([1 / 4, 3 / 4])
    # d/ds (1/2 e^-s v + s / 2) = 1/2 - v e^-s / 2
    slopes = [p.grad.item() for p in weighting.parameters()]
    assert slopes == pytest.approx([0.5 - 4 / 4, 0.5 - 3 / 4])


def test_uncertainty_settles_where_the_variance_is_the_loss():
    weighting, model = (
        build("uncertainty"),
        Bowls((Bowl((0.0,) * 4, floor=2.0, aim=0.0), Bowl((0.0,) * 4, floor=0.25, aim=0.0))),
    )
    train(weighting, model, 300, lr=0.2)
    assert [math.exp(p.item()) for p in weighting.parameters()] == pytest.approx([2.0, 0.25], rel=1e-3)


def test_imtl_l_by_hand():
    weighting = build("imtl_l", lambdas=[1.0, 3.0])
    assert used("", weighting=weighting) == pytest.approx([1.0, 3.0])
    assert [p.grad.item() for p in weighting.parameters()] == pytest.approx([4 - 1, 3 - 1])


def test_gls_and_si_by_hand():
    # sqrt(L1 L2) = 2; its slope is that over 2 L_i
    assert used("gls") == pytest.approx([0.25, 1.0])
    assert used("si", [2.0, 3.0]) == pytest.approx([0.5, 3.0])


def test_pbi_by_hand():
    # Along (1, 1) / sqrt 2 and beside it: L = (4, 1) lies at 5 / sqrt 2 and (1.5, -1.5).
    assert used("pbi", theta=0.25) == pytest.approx([1.25 / math.sqrt(2), 0.75 / math.sqrt(2)], rel=1e-4)


def test_cosmos_by_hand(monkeypatch):
    monkeypatch.setattr(torch.distributions.Dirichlet, "sample", lambda self: torch.tensor([0.6, 0.8]))
    # cos = 3.2 / sqrt 17; d cos / d L_i = r_i / |L| - cos L_i / |L|^2
    root17, cosine = math.sqrt(17), 3.2 / math.sqrt(17)
    expected = [0.6 - 2 * (0.6 / root17 - cosine * 4 / 17), 0.8 - 2 * (0.8 / root17 - cosine * 1 / 17)]
    assert used("cosmos", penalty=2.0) == pytest.approx(expected, rel=1e-4)


def test_rlw_draws_weights_that_sum_to_one_anew_in_each_step():
    torch.manual_seed(0)
    found = [used("rlw", [2.0, 1.0]) for _ in range(3)]
    assert [a / 2 + b for a, b in found] == pytest.approx([1, 1, 1])
    assert len({a for a, _ in found}) == 3


def test_stch_by_hand():
    weighting = build("stch", mu=0.5, warmup_steps=2)
    assert used("", weighting=weighting, step=0) == pytest.approx([1 / 4, 1])  # sum of logs
    half = (Bowl((2.0, 0.0, 0.0, 0.0), aim=0.0), ONE)
    used("", weighting=weighting, step=1, bowls=half)  # z = (2, 1)
    # y = log(L / z) = (log 2, 0): m softmax(y / mu) / L
    share = 2**2 / (2**2 + 1)
    assert used("", weighting=weighting, step=2) == pytest.approx([2 * share / 4, 2 * (1 - share) / 1], rel=1e-5)


def test_stch_whose_warm_up_was_passed_over_begins_with_the_first_step_it_gets():
    weighting = build("stch", warmup_steps=2)
    assert used("", weighting=weighting, step=7) == pytest.approx([1 / 4, 1])
    assert used("", weighting=weighting, step=8) == pytest.approx([1 / 4, 1])


def test_famo_by_hand_for_two_steps():
    weighting = build("famo", lr=0.1, weight_decay=0.0)
    # z = 1/2: c = 1 / (z1 / 4 + z2 / 1) = 1.6, weights c z_i / L_i
    assert used("", weighting=weighting) == pytest.approx([0.2, 0.8], rel=1e-5)

    class After:
        present_P = (0, 1)

        def __init__(self, losses):
            self.losses = losses

        def again(self):
            return torch.tensor(self.losses)

    weighting.after_step(After([2.0, 1.0]), 0)
    # delta = (log 2, 0); its gradient through the softmax is (log 2, -log 2) / 4, so Adam's first step is -lr, +lr: the task whose
    # loss fell loses weight.
    assert weighting.state_dict()["xi"].tolist() == pytest.approx([-0.1, 0.1], rel=1e-4)
    z = np.exp([-0.1, 0.1]) / np.exp([-0.1, 0.1]).sum()
    c = 1 / (z[0] / 4 + z[1])
    assert used("", weighting=weighting, step=1) == pytest.approx([c * z[0] / 4, c * z[1]], rel=1e-5)
    before = weighting.state_dict()["xi"].tolist()
    for bad in ([math.nan, 1.0], [0.0, 1.0], [math.inf, 1.0]):
        weighting.after_step(After(bad), 1)
    assert weighting.state_dict()["xi"].tolist() == before


def test_famo_s_weights_make_all_logarithms_fall_at_one_rate():
    weighting, model = build("famo"), Bowls((FOUR, ONE))
    first = train(weighting, model, 1)[0]
    scalar = scalarization.FAMO(2)
    losses = torch.tensor([4.0, 1.0], requires_grad=True)
    scalar(losses).backward()
    assert first == pytest.approx(losses.grad.tolist(), rel=1e-5)


def test_dwa_is_torchjd_s_and_by_hand():
    weighting, theirs = build("dwa", temperature=2.0), scalarization.DWA(2.0)
    epochs = [([4.0, 1.0], [2.0, 3.0]), ([2.0, 1.0], [1.0, 3.0]), ([1.0, 1.0], [2.0, 2.0])]
    for e, epoch in enumerate(epochs):
        for losses in epoch:
            bowls = [Bowl((0.0,) * 4, floor=v, aim=0.0) for v in losses]
            values = torch.tensor(losses, requires_grad=True)
            theirs(values).backward()
            assert used("", weighting=weighting, bowls=bowls) == pytest.approx(values.grad.tolist())
            if e == 2:
                # means 3, 2 and 1.5, 2: rates 1/2 and 1
                rates = np.exp([0.25, 0.5])
                assert values.grad.tolist() == pytest.approx((2 * rates / rates.sum()).tolist())
        weighting.end_epoch()
        theirs.step()


def test_dwa_leaves_a_task_without_rate_at_one():
    weighting = build("dwa", "abc")
    for step in range(2):
        one_step(weighting, Bowls((FOUR, ONE, ONE)), step=step, present=(0, 1))
        weighting.end_epoch()
    assert used("", weighting=weighting, bowls=(FOUR, ONE, ONE)) == pytest.approx([1, 1, 1])


def test_lbtw_by_hand():
    weighting = build("lbtw", lambdas=[1.0, 2.0], alpha=0.5)
    assert used("", weighting=weighting) == [1.0, 2.0]
    quarter = (Bowl((1.0, 0.0, 0.0, 0.0), aim=1.0), ONE)
    assert used("", weighting=weighting, bowls=quarter) == pytest.approx([0.5, 2.0])
    weighting.end_epoch()
    assert used("", weighting=weighting, bowls=quarter) == pytest.approx([1.0, 2.0])


def test_dtp_by_hand():
    weighting = build("dtp", lambdas=[1.0, 2.0], gamma=2.0, smoothing=0.25)
    assert used("", weighting=weighting) == [1.0, 2.0]
    weighting.after_evaluation([0.5, 0.8])
    assert used("", weighting=weighting) == pytest.approx([-0.25 * math.log(0.5), -2 * 0.04 * math.log(0.8)], rel=1e-5)
    weighting.after_evaluation([0.9, 0.8])
    assert used("", weighting=weighting)[0] == pytest.approx(-(0.4**2) * math.log(0.6), rel=1e-5)
    weighting.after_evaluation([-1.0, 2.0])  # cut to what has a logarithm
    assert min(used("", weighting=weighting)) > 0


def test_gradnorm_by_hand_for_two_steps():
    weighting = build("gradnorm", params="all", alpha=1.0, lr=0.1)
    model = Bowls((FOUR, ONE))
    _, weighted = one_step(weighting, model)
    assert weighted.weights_K.tolist() == [1, 1]
    # Norms 2 and 1, mean 1.5, both ratios 1: w1 falls, w2 rises, by Adam's first step, then they sum to 2.
    assert weighting.state_dict()["w"].tolist() == pytest.approx([0.9, 1.1], rel=1e-4)
    _, weighted = one_step(weighting, model, step=1)
    assert weighted.weights_K.tolist() == pytest.approx([0.9, 1.1], rel=1e-4)
    # The gradient that is used is that of sum_i w_i L_i, heads too.
    assert model.shared_gradient().tolist() == pytest.approx([-1.8, -1.1, 0, 0], rel=1e-4)
    assert model.head_gradients() == pytest.approx([-1.8, -1.1], rel=1e-4)


def test_gradnorm_follows_the_gradient_of_its_objective():
    """Against a finite difference of sum_i |w_i n_i - mean_j(w_j n_j) r_i^alpha|, the mean and r held fixed."""
    weighting = build("gradnorm", params="all", alpha=1.5, lr=1e-3)
    bowls = (FOUR, ONE)
    one_step(weighting, Bowls(bowls))
    weighting._w_K[0].data.fill_(1.2)
    weighting._w_K[1].data.fill_(0.8)
    model = Bowls(bowls, (0.5, 0.5, 0.0, 0.0))
    seen = []
    weighting._adam.step = lambda: seen.append([w.grad.item() for w in weighting._w_K])
    one_step(weighting, model, step=1)
    with torch.no_grad():
        losses = np.array([model.loss(k, slice(None)).item() for k in range(2)])
    norms, w = np.array([math.hypot(1.5, 0.5), math.hypot(0.5, 0.5)]), np.array([1.2, 0.8])
    ratios = losses / [4.0, 1.0]
    targets = (w * norms).mean() * (ratios / ratios.mean()) ** 1.5

    def objective(at):
        return np.abs(at * norms - targets).sum()

    expected = [(objective(w + e) - objective(w - e)) / 2e-4 for e in 1e-4 * np.eye(2)]
    assert seen[0] == pytest.approx(expected, rel=1e-3)


def test_gradnorm_s_weights_bring_the_gradients_to_one_length():
    weighting = build("gradnorm", params="all", alpha=0.0, lr=0.02)
    model = Bowls((FOUR, ONE))
    for step in range(200):
        _, weighted = one_step(weighting, model, step=step)
    w = weighted.weights_K
    assert (w[0] * 2).item() == pytest.approx(w[1].item(), rel=0.05)
    assert w.sum().item() == pytest.approx(2)


def test_gradnorm_names_a_task_whose_first_loss_is_zero_and_keeps_no_trace_of_it():
    weighting = build("gradnorm", params="all")

    class Nought(Bowls):
        def loss(self, k, rows):
            return super().loss(k, rows) * (k == 0) + k * self.low.sum()

    with pytest.raises(BadStep, match=r"loss is 0\.0 in its first step, and GradNorm divides by it") as found:
        one_step(weighting, Nought((FOUR, ONE)))
    assert found.value.task == 1
    assert weighting.state_dict()["first"].isnan().all()


OFFSETS = {"offsets": (0.0, 0.3, 0.1, -0.2, 0.4, -0.3)}
SPREAD = (Bowl((2.0, 0.0, 1.0, 0.0), floor=0.5, **OFFSETS), Bowl((-1.0, 1.0, 0.0, 1.5), floor=0.2, **OFFSETS))


@pytest.mark.parametrize("primary", [None, ["b"]])
def test_auto_lambda_s_gradient_is_a_finite_difference_of_the_held_out_loss(primary):
    weighting = build("auto_lambda", primary=primary, look_ahead=0.2)
    seen = []
    weighting._adam.step = lambda: seen.append(weighting._w_K.grad.tolist())
    model = Bowls(SPREAD, (0.1, 0.2, 0.3, 0.4))
    one_step(weighting, model)
    start = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    train_rows, held_rows = slice(0, None, 2), slice(1, None, 2)

    def held_out(w):
        at = start.clone()
        for k, bowl in enumerate(SPREAD):
            centre = torch.tensor(bowl.centre) + torch.tensor(bowl.offsets)[train_rows].mean()
            at -= 0.2 * w[k] * (start - centre)
        total = 0.0
        for k, bowl in enumerate(SPREAD):
            if primary is None or "ab"[k] in primary:
                apart = at - (torch.tensor(bowl.centre) + torch.tensor(bowl.offsets)[held_rows, None])
                total += apart.square().sum(1).mean().item() / 2
        return total

    w = np.full(2, 0.1)
    expected = [(held_out(w + e) - held_out(w - e)) / 2e-4 for e in 1e-4 * np.eye(2)]
    assert seen[0] == pytest.approx(expected, rel=1e-3)


def test_auto_lambda_s_direction_is_of_the_half_that_trains_and_its_loss_of_both():
    weighting, model = build("auto_lambda", lr=0.05), Bowls(SPREAD)
    _, weighted = one_step(weighting, model)
    w = weighted.weights_K.tolist()
    assert all(abs(v - 0.1) == pytest.approx(0.05, rel=1e-3) for v in w)  # Adam's first step
    half = torch.tensor([0.0, 0.1, 0.4]).mean()
    expected = -sum(w[k] * (torch.tensor(SPREAD[k].centre) + half) for k in range(2))
    torch.testing.assert_close(model.shared_gradient(), expected)
    with torch.no_grad():
        whole = [model.loss(k, slice(None)).item() for k in range(2)]
    assert weighted.losses_K.tolist() == pytest.approx(whole, rel=1e-2)  # the held-out half is looked at a step ahead


def test_auto_lambda_finds_a_task_that_harms_the_primary_one():
    weighting, model = build("auto_lambda", primary=["a"], lr=0.02, look_ahead=0.1), Bowls(SPREAD)
    w = train(weighting, model, 30, lr=0.01)[-1]
    assert w[0] > 0.3
    assert w[1] == 0.0


def test_independent_methods_use_each_row_once():
    """d = 2 J_3^T w: the direction is of the last third of the rows, w of the others."""
    for name in ("modo", "sdmgrad"):
        weighting, model = build(name), Bowls(SPREAD)
        passes, weighted = one_step(weighting, model)
        last = torch.tensor([0.1, -0.3]).mean()
        expected = -sum(weighted.weights_K[k] * (torch.tensor(SPREAD[k].centre) + last) for k in range(2))
        torch.testing.assert_close(model.shared_gradient(), expected)
        assert passes.backwards == 6
        assert weighted.weights_K.sum().item() == pytest.approx(2, rel=1e-5)


# A two-task quadratic: |x - a|^2 / 2 and |x - b|^2 / 2 are jointly best on the line from a to b.

ENDS = (Bowl((1.0, 0.0, 0.0, 0.0), floor=0.5), Bowl((0.0, 1.0, 0.0, 0.0), floor=0.5))


# Nash-MTL's and FairGrad's steps keep their length to the end, GradDrop's signs are random, PCD goes to one task's optimum.
@pytest.mark.parametrize("name", [m for m in METHODS if m not in {"nash_mtl", "fairgrad", "graddrop", "pcd"}])
def test_training_ends_on_the_pareto_set(name):
    model = Bowls(ENDS, (2.0, 1.5, 1.0, -1.0))
    options = {"rho": 0.01} if name == "modo" else {}
    slow = {"moco": 200, "auto_lambda": 200}
    train(build(name, **options), model, slow.get(name, 70), lr=0.15)
    x = torch.cat([model.low, model.high]).detach()
    assert x[2:].norm() < 0.05
    assert x[:2].sum().item() == pytest.approx(1, abs=0.05)
    assert -0.05 < x[0].item() < 1.05


def test_the_rows_of_a_step_keep_their_gramian_in_bfloat16():
    narrow = TaskGradients((0, 1), torch.ones(2), CONFLICT.bfloat16())
    assert narrow.gramian().tolist() == [[5, -1], [-1, 3]]
    rows = AliveRows(narrow, (0, 1), narrow.gramian())
    torch.testing.assert_close(rows.combined(torch.tensor([1.0, 2.0])).direction_N, torch.tensor([1.0, 2.0]) @ CONFLICT)


def test_choices_are_told_apart():
    assert len({Chosen("all"), Chosen(1), Chosen("all", "bfloat16"), Chosen("all", sparse=False)}) == 4


@pytest.mark.parametrize(("name", "options", "words"), [
    ("uncertainty", {}, None),
    ("dwa", {"temperature": 0.0}, "temperature must be more than 0; found 0.0"),
    ("stch", {"mu": 0.0}, "mu must be more than 0; found 0.0"),
    ("stch", {"warmup_steps": 0}, "warmup_steps must be at least 1; found 0"),
    ("excess_mtl", {"warmup_steps": 0}, "without a warm-up all weight goes to one task"),
    ("pcd", {"primary": "z"}, "no task is called 'z'; the tasks are a, b"),
    ("auto_lambda", {"primary": ["z"]}, "no task is called 'z'; the tasks are a, b"),
    ("fairgrad", {"alpha": 0.0}, "alpha must be more than 0; found 0.0"),
    ("graddrop", {"leak": 2.0}, r"leak must lie in \[0, 1\]; found 2.0"),
    ("db_mtl", {"beta": 1.0}, r"beta must lie in \[0, 1\); found 1.0"),
    ("dtp", {"smoothing": 0.0}, r"smoothing in \(0, 1\]; found 1.0, 0.0"),
    ("cosmos", {"penalty": -1.0}, "penalty must be 0 or more"),
    ("pbi", {"theta": -1.0}, "theta must be 0 or more; found -1.0"),
])  # fmt: skip
def test_values_that_make_no_sense_are_refused(name, options, words):
    if words is None:
        build(name, **options)
        return
    with pytest.raises(ConfigError, match=words):
        build(name, "ab", **options)


@pytest.mark.parametrize(("name", "options", "package"), [
    ("upgrad", {}, "quadprog"), ("dualproj", {}, "quadprog"), ("cr_mogm", {"of": "upgrad"}, "quadprog"), ("cagrad", {}, "clarabel"),
    ("nash_mtl", {}, "ecos"),
])  # fmt: skip
def test_a_missing_solver_fails_at_once_with_what_to_type(name, options, package, monkeypatch):
    found = importlib.util.find_spec

    def gone(wanted, *more):
        return None if wanted == package else found(wanted, *more)

    for module in [m for n, m in sys.modules.items() if n.startswith("torchjd") and hasattr(m, "find_spec")]:
        monkeypatch.setattr(module, "find_spec", gone)
    with pytest.raises(
        ConfigError, match=rf"needs .*{package}.*, which are not installed: pip install 'mtl-cli\[solvers\]'"
    ):
        build(name, **options)


def test_two_draws_give_all_orders_of_three_tasks_under_pcgrad():
    torch.manual_seed(0)
    found = {tuple(np.round(weights("pcgrad", THREE), 4)) for _ in range(60)}
    g = gramian(THREE)

    def gone_through(i, order):
        w = np.eye(3)[i]
        for j in order:
            w[j] -= min(0, g[j] @ w) / g[j, j]
        return w

    orders = [[p for p in itertools.permutations(range(3)) if p[0] == i] for i in range(3)]
    expected = {
        tuple(np.round(sum(gone_through(i, order[1:]) for i, order in enumerate(chosen)), 4))
        for chosen in itertools.product(*orders)
    }
    assert found <= expected
    assert len(found) > 1

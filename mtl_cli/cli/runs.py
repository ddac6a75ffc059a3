"""stub"""
import typer
app = typer.Typer()
@app.command("ls")
def ls() -> None:
    """stub"""
@app.command("show")
def show() -> None:
    """stub"""

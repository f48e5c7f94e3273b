"""fit does what the same steps by hand do, and tells what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn, optim, train
from tinygrad_act.backend import strict
from tinygrad_act.errors import ArgumentError, ShapeError, TrainingError
from tinygrad_act.utils.data import DataLoader, TensorDataset

from . import recipe


def line(count: int = 32) -> Any:
    x = ta.linspace(-1, 1, count).reshape(-1, 1)
    return DataLoader(TensorDataset(x, 3 * x), batch_size=8)


def fitted(model: Any, data: Any, **more: Any) -> train.History:
    return train.fit(model, data, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), **{"progress": False, **more})


def test_fit_makes_the_steps_that_one_would_write_by_hand() -> None:
    given = recipe.parts()
    train.fit(**given)
    hand = recipe.parts()
    model, optimizer, scheduler = hand["model"], hand["optimizer"], hand["scheduler"]
    for _ in range(recipe.EPOCHS):
        model.train()
        batches = iter(hand["data"])
        while group := [batch for _, batch in zip(range(2), batches, strict=False)]:
            optimizer.zero_grad()
            for x, y in group:
                loss = hand["loss"](model(x), y)
                (loss / len(group) if len(group) > 1 else loss).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
        model.eval()
        for _ in hand["validation"]:                    # as PyTorch's, a loader draws a seed for its workers
            pass
    assert recipe.digest(model, train.History()) == recipe.digest(given["model"], train.History())


def test_history_has_the_mean_over_samples_not_over_batches() -> None:
    data = [(ta.zeros(3, 1), ta.ones(3, 1)), (ta.zeros(1, 1), ta.full((1, 1), 3.0))]
    found = train.evaluate(nn.Identity(), data, nn.MSELoss(), ["rmse", "mae"])
    assert found == {"loss": 3.0, "rmse": pytest.approx(3.0 ** 0.5), "mae": 1.5}


def test_evaluate_leaves_modes_and_gradients_alone() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))
    model[0].eval()
    train.evaluate(model, line(), nn.MSELoss())
    assert (model.training, model[0].training, model[1].training) == (True, False, True)
    assert model[0].weight.grad is None


def test_metrics_come_by_name_by_function_or_by_dict() -> None:
    def mine(output: Any, target: Any) -> Any:
        return (output == target).float().mean()

    batch = [(ta.tensor([[0.0, 2.0, 1.0], [5.0, 1.0, 2.0]]), ta.tensor([2, 0]))]
    found = train.evaluate(nn.Identity(), batch, metrics=["accuracy", train.top_k(2)])
    assert found == {"accuracy": 0.5, "top_2": 1.0}
    logits = [(ta.tensor([1.0, -1.0, 2.0]), ta.tensor([1.0, 1.0, 1.0]))]
    assert train.evaluate(nn.Identity(), logits, metrics={"right": train.accuracy})["right"] == pytest.approx(2 / 3)
    assert train.evaluate(nn.Identity(), logits, metrics=[mine])["mine"] == pytest.approx(1 / 3)
    with pytest.raises(ArgumentError, match="accuracy"):
        train.evaluate(nn.Identity(), batch, metrics=["acuracy"])
    with pytest.raises(ShapeError, match="accuracy"):
        train.evaluate(nn.Identity(), [(ta.zeros(3), ta.zeros(2))], metrics=["accuracy"])


def test_accumulated_batches_are_one_step() -> None:
    one, several = nn.Linear(1, 1), nn.Linear(1, 1)
    several.load_state_dict(one.state_dict())
    data = line()
    fitted(one, [(ta.cat([x for x, _ in data]), ta.cat([y for _, y in data]))])
    history = fitted(several, data, accumulate=4)
    assert history[-1]["step"] == 1
    assert several.weight.item() == pytest.approx(one.weight.item(), abs=1e-6)


def test_batches_of_any_form_by_a_forward_of_ones_own() -> None:
    data = [{"x": ta.ones(4, 2), "y": ta.ones(4, 1)}]
    linear = nn.Linear(2, 1)
    history = fitted(linear, data, forward=lambda m, batch: (m(batch["x"]), batch["y"]), epochs=3)
    assert history[-1]["loss"] < history[0]["loss"]
    with pytest.raises(ArgumentError, match="forward="):
        fitted(linear, data)


def test_a_loss_that_is_nan_ends_training_with_advice() -> None:
    model = nn.Linear(1, 1)
    with pytest.raises(TrainingError, match="detect_anomaly"):
        fitted(model, [(ta.tensor([[float("nan")]]), ta.zeros(1, 1))])


@pytest.mark.parametrize(("more", "says"), [
    ({"accumulate": 0}, "one batch at least"), ({"scheduler_every": "batch"}, '"epoch" or "step"')])
def test_wrong_arguments_are_named(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        fitted(nn.Linear(1, 1), line(), **more)


def test_an_iterator_is_refused_for_it_has_only_one_epoch() -> None:
    with pytest.raises(ArgumentError, match="only once"):
        fitted(nn.Linear(1, 1), iter(line()))
    with pytest.raises(ArgumentError, match="no batches"):
        fitted(nn.Linear(1, 1), [])


def test_schedulers_that_want_a_figure_are_given_the_validation_loss() -> None:
    model = nn.Linear(1, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    history = train.fit(model, line(), nn.MSELoss(), optimizer, epochs=3, validation=line(), scheduler=scheduler, progress=False)
    assert len(set(history["val_loss"])) == 1
    optimizer.param_groups[0]["lr"] = 0.1
    train.fit(model, line(), nn.MSELoss(), optimizer, epochs=1, scheduler=scheduler, progress=False)
    assert scheduler.best < history["val_loss"][0]


def test_early_stopping_stops_and_restores_the_best() -> None:
    model = nn.Linear(1, 1)
    diverging = optim.SGD(model.parameters(), lr=1.15)
    stopping = train.EarlyStopping(patience=2, restore_best=True)
    history = train.fit(model, [next(iter(line()))], nn.MSELoss(), diverging, epochs=50, validation=line(), callbacks=[stopping], progress=False)
    assert len(history) < 50
    assert train.evaluate(model, line(), nn.MSELoss())["loss"] == min(history["val_loss"])


def test_callbacks_hear_of_everything_in_order_and_of_the_end_even_after_an_error() -> None:
    heard: list[str] = []

    class Listener(train.Callback):
        def __getattribute__(self, name: str) -> Any:
            if name.startswith("on_"):
                heard.append(name)
            return super().__getattribute__(name)

        def on_epoch(self, run: train.Run) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(nn.Linear(1, 1), line(8), callbacks=[Listener()], log_every=1)
    assert heard == ["on_start", "on_step_start", "on_log", "on_step", "on_log", "on_epoch", "on_end"]


def test_history_is_plotted_saved_and_printed(tmp_path: Path) -> None:
    history = fitted(nn.Linear(1, 1), line(), epochs=3, validation=line(), metrics=["rmse"])
    history.plot(tmp_path / "curves.svg", title="a line")
    assert "validation" in (tmp_path / "curves.svg").read_text()
    history.save(tmp_path / "history.json")
    assert str(history).splitlines()[0].split() == ["epoch", "step", "seconds", "lr", "loss", "rmse", "val_loss", "val_rmse"]
    assert history["loss"][0] > history["loss"][-1]
    with pytest.raises(ArgumentError, match="val_rmse"):
        history["acc"]
    with pytest.raises(ArgumentError, match="writes no"):
        history.plot(tmp_path / "curves.docx")


def test_find_lr_leaves_gradients_and_the_loaders_generator() -> None:
    model, generator, x = nn.Linear(1, 1), ta.Generator().manual_seed(3), ta.ones(8, 1)
    data = DataLoader(TensorDataset(x, x), batch_size=2, shuffle=True, generator=generator)
    model.weight.grad = ta.ones(1, 1)
    before = generator.get_state().tolist()
    train.find_lr(model, data, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), steps=5)
    assert generator.get_state().tolist() == before
    assert model.weight.grad.item() == 1
    assert model.bias.grad is None


@pytest.mark.parametrize("data", [[], iter([(ta.ones(2, 1), ta.ones(2, 1))])])
def test_find_lr_ends_where_the_data_do(data: Any) -> None:
    model = nn.Linear(1, 1)
    with pytest.raises(ArgumentError, match="gone through only once"):
        train.find_lr(model, data, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))


def test_find_lr_finds_a_rate_and_puts_everything_back(tmp_path: Path) -> None:
    given = recipe.parts()
    model, optimizer = given["model"], given["optimizer"]
    before, position = recipe.digest(model, train.History()), ta.get_rng_state()
    curve = train.find_lr(model, given["data"], given["loss"], optimizer, steps=60)
    assert recipe.digest(model, train.History()) == before
    assert (ta.get_rng_state() == position).all()
    assert optimizer.param_groups[0]["lr"] == 1e-2
    assert not optimizer.state
    assert 1e-5 < curve.suggestion < 5
    curve.plot(tmp_path / "rates.png")


def test_the_steps_of_fit_bring_nothing_to_the_cpu() -> None:
    model = nn.Linear(1, 1).to(ta.backend.current_device())
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    data = [(ta.ones(4, 1), ta.ones(4, 1))] * 3
    run = train.Run(model, data, nn.MSELoss(), optimizer, metrics=[train.mae])
    strict.transfers.clear()
    run.train_epoch()
    assert not strict.transfers

"""Draws the hub's pictures anew, from real data: `python demos/emblems/make.py` (a minute on two cores).

perceptron: two crowds of points and the line that Rosenblatt's rule finds; mlp: the regions that a small network
learns on the spirals; cnn: a handwritten digit and what three filters of the shipped preset see in it;
rnn: a chaotic series, what a small LSTM foretells of it six steps ahead, and that model's cell state over time;
mtrnn: three movements that the shipped preset walks by itself, and beneath each three of its slow units over time;
transformer: a line that the shipped preset writes, and where two of its letters look, by the head of each whose look
is the farthest, an arc as thick as the share;
mamba: what the shipped preset's second layer writes at each letter of a line, and the state that it ends with;
diffusion: five moments of a digit on its way out of noise, and what the shipped preset takes it to be at each of them;
gan: a small game on eight clouds, real points round, made ones square, and where the discriminator's slope sends them;
and digits of the shipped preset;
lif: a neuron's voltage under a noisy current, its spikes as strokes, and when thirty others fire, whose currents grow
from row to row.
"""

import html
from pathlib import Path

import numpy as np

import kzoo
from kzoo.plots.style import BLUE, ORANGE

HERE = Path(__file__).parent
WIDTH, HEIGHT = 240, 140


def svg(parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false">'
    )
    return "\n".join([head, *parts, "</svg>", ""])


def mark(x: float, y: float, second: bool, size: float = 6) -> str:
    """A point: the first class is a blue disc, the second an orange square, so that colour is not needed."""
    if second:
        return f'<rect x="{x - size / 2:.1f}" y="{y - size / 2:.1f}" width="{size}" height="{size}" fill="{ORANGE}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{0.55 * size:.1f}" fill="{BLUE}"/>'


def perceptron() -> str:
    draw = np.random.default_rng(4)
    points = np.concatenate([draw.normal((85, 82), (26, 17), (26, 2)), draw.normal((160, 55), (26, 17), (26, 2))])
    points = points.clip((8, 8), (WIDTH - 8, HEIGHT - 8))
    labels = np.repeat([-1, 1], 26)
    inputs = np.column_stack([(points - (WIDTH / 2, HEIGHT / 2)) / 50, np.ones(52)])
    weights, best, fewest = np.zeros(3), np.zeros(3), 99
    for i in range(52 * 200):  # the pocket rule: the crowds overlap a little, so keep the best line met
        x, label = inputs[i % 52], labels[i % 52]
        if label * (weights @ x) <= 0:
            weights = weights + label * x
            wrong = int((labels * (inputs @ weights) <= 0).sum())
            if wrong < fewest:
                best, fewest = weights, wrong
    a, b, c = best
    tops = [WIDTH / 2 - 50 * (c + b * (y - HEIGHT / 2) / 50) / a for y in (0, HEIGHT)]
    line = (
        f'<line x1="{tops[0]:.1f}" y1="0" x2="{tops[1]:.1f}" y2="{HEIGHT}" stroke="currentColor" stroke-width="2.5"/>'
    )
    return svg([*(mark(x, y, label > 0) for (x, y), label in zip(points, labels, strict=True)), line])


def mlp() -> str:
    import keras
    from matplotlib.figure import Figure

    keras.utils.set_random_seed(1)
    data = kzoo.load_data("spirals")
    x, y = np.asarray(data.x_train), np.asarray(data.y_train)
    network = kzoo.create_model("mlp", input_shape=(2,), num_classes=2, hidden_dims=(64, 64), activation="relu")
    rate = keras.optimizers.schedules.CosineDecay(0.01, 100 * (len(x) // 32))
    network.compile(keras.optimizers.Adam(rate), network.training_loss(), metrics=["accuracy"])
    network.fit(x, y, epochs=100, batch_size=32, verbose=0)
    print("mlp on spirals:", network.evaluate(x, y, verbose=0))
    reach = np.abs(x).max() * 1.12
    across = reach * WIDTH / HEIGHT
    columns, rows = np.linspace(-across, across, 121), np.linspace(-reach, reach, 71)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    scores = np.asarray(network.predict(grid, verbose=0, batch_size=1024))
    difference = (scores[:, -1] - scores[:, 0]).reshape(71, 121)
    axes = Figure().subplots()
    parts = []
    for low, high, colour in ((-1e9, 0, BLUE), (0, 1e9, ORANGE)):
        for path in axes.contourf(columns, rows, difference, levels=[low, high]).get_paths():
            rings = [ring[::2] for ring in path.to_polygons() if len(ring) > 6]
            d = " ".join(
                "M"
                + "L".join(f"{(u / across + 1) * WIDTH / 2:.0f} {(v / reach + 1) * HEIGHT / 2:.0f}" for u, v in ring)
                for ring in rings
            )
            parts.append(f'<path d="{d}" fill="{colour}" fill-opacity="0.28" fill-rule="evenodd"/>')
    for (u, v), label in zip(x[::6], y[::6], strict=True):
        parts.append(mark((u / across + 1) * WIDTH / 2, (v / reach + 1) * HEIGHT / 2, label == 1, 4))
    return svg(parts)


def cnn() -> str:
    data = kzoo.load_data("digits")
    image = data.x_test[int(np.flatnonzero(np.asarray(data.y_test) == 3)[0])]
    model = kzoo.from_preset("cnn_digits")
    maps = next(np.asarray(value)[0] for value in model.activations(image[None]).values() if np.ndim(value) == 4)
    strongest = np.argsort(-maps.std(axis=(0, 1)))[:3]
    parts = _picture(np.squeeze(image), 10, 20, 100, "currentColor")
    for place, channel in enumerate(strongest):
        x, y = 178, 6 + 45 * place
        parts.append(
            f'<path d="M114 70 C145 70 145 {y + 19} 172 {y + 19}" fill="none" stroke="currentColor" '
            'stroke-opacity="0.45" stroke-width="1.5"/>'
        )
        parts += _picture(maps[..., channel], x, y, 38, (BLUE, ORANGE, "#009E73")[place])
    return svg(parts)


def rnn() -> str:
    import keras

    data = kzoo.load_data("mackey_glass", validation_fraction=0)
    model = kzoo.create_model(
        "lstm", seed=0, input_shape=(50, 1), num_outputs=1, task="regression", hidden_dims=(8,),
        statistics=[[0.93], [0.23]],
    )  # fmt: skip
    model.compile(keras.optimizers.Adam(0.01, clipnorm=1.0), model.training_loss())
    model.fit(data.x_train, data.y_train, epochs=12, batch_size=32, verbose=0)
    print("lstm on mackey_glass:", model.evaluate(data.x_test, data.y_test, verbose=0))
    read, known = data.x_test[60, :, 0], 50
    left, step, foot = 10.0, 220 / 73, 66.0

    def line(first, values, more):
        places = " ".join(f"{left + step * (first + i):.1f},{foot - 72 * (v - 0.45):.1f}" for i, v in enumerate(values))
        return f'<polyline points="{places}" fill="none" stroke-width="2.5" {more}/>'

    future = data.x_test[84, -24:, 0]
    foretold = model.predict(data.x_test[55:79], verbose=0)[:, 0]  # each six steps after its window
    parts = [
        line(0, [*read, *future], 'stroke="currentColor" stroke-opacity="0.55"'),
        line(known, foretold, f'stroke="{ORANGE}"'),
    ]
    cells = model.trace(read[None, :, None])["layer_1"]["cell state"][0].T  # (u, t)
    cells = cells / np.abs(cells).max()
    for row, unit in enumerate(cells):
        for column, value in enumerate(unit):
            if abs(value) > 0.06:
                parts.append(
                    f'<rect x="{left + step * column:.1f}" y="{74 + 8 * row}" width="{step:.1f}" height="8" '
                    f'fill="{ORANGE if value > 0 else BLUE}" fill-opacity="{abs(value):.2f}"/>'
                )
    return svg(parts)


def mtrnn() -> str:
    model = kzoo.from_preset("mtrnn_lissajous")
    found = model.generate([1, 2, 4], steps=8 + 3 * 24)
    parts = []
    for place, (walk, colour) in enumerate(zip(found["outputs"], (BLUE, ORANGE, "#009E73"), strict=True)):
        spots = " ".join(f"{44 + 76 * place + 40 * x:.1f},{48 - 40 * y:.1f}" for x, y in walk[8:])
        parts.append(f'<polyline points="{spots}" fill="none" stroke="{colour}" stroke-width="2.2"/>')
        units = found["slow"][place, 8:].T
        for unit in units[np.argsort(-units.std(axis=1))[:3]]:
            line = " ".join(f"{10 + 76 * place + 68 * i / 72:.1f},{114 - 18 * v:.1f}" for i, v in enumerate(unit))
            stroke = 'stroke="currentColor" stroke-opacity="0.55" stroke-width="1.5"'
            parts.append(f'<polyline points="{line}" fill="none" {stroke}/>')
    return svg(parts)


def transformer() -> str:
    from kzoo.sampling import codec, generate

    model = kzoo.from_preset("transformer_shakespeare")
    prompt = "JULIET:\nO "
    line = (prompt + generate(model, prompt, 30, temperature=0.8)).split("\n")[1][:20].rstrip()
    tokens = codec(model).encode(prompt.split("\n")[0] + "\n" + line)
    x = np.zeros((1, model.context_length), "int32")
    x[0, : len(tokens)] = tokens
    first, step, foot = len(tokens) - len(line), 220 / len(line), 112.0
    maps = model.attention(x)[:, 0, :, first : len(tokens), first : len(tokens)]  # (layers, heads, t, t) of the line
    places = np.arange(len(line))
    parts = []
    for row, colour in ((len(line) - 1, ORANGE), (len(line) // 2, BLUE)):
        distances = (maps[:, :, row] * np.maximum(row - places, 0)).sum(axis=-1)
        layer, head = np.unravel_index(np.argmax(distances), distances.shape)
        for place in range(row):
            share = maps[layer, head, row, place]
            if share > 0.02:
                a, b = (10 + step * (spot + 0.5) for spot in (place, row))
                parts.append(
                    f'<path d="M{b:.1f} {foot - 16} C{b:.1f} {foot - 20 - 0.42 * (b - a):.1f} {a:.1f} '
                    f'{foot - 20 - 0.42 * (b - a):.1f} {a:.1f} {foot - 16}" fill="none" stroke="{colour}" '
                    f'stroke-width="{1 + 7 * share:.1f}" stroke-opacity="{0.35 + 0.65 * share:.2f}"/>'
                )
    for place, letter in enumerate(line):
        parts.append(
            f'<text x="{10 + step * (place + 0.5):.1f}" y="{foot}" text-anchor="middle" fill="currentColor" '
            f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="15">{html.escape(letter)}</text>'
        )
    return svg(parts)


def mamba() -> str:
    from keras import ops

    from kzoo.sampling import codec

    model = kzoo.from_preset("mamba_shakespeare")
    lines = ("O Romeo, Romeo!", "wherefore art thou", "Romeo?")
    text = "\n".join(lines)
    tokens = np.array([codec(model).encode(text)])
    delta = model.trace(tokens)["block_2"]["delta"][0].mean(axis=-1)
    shades = (delta - delta.min()) / np.ptp(delta)
    parts, place = [], 0
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            x, y = 12 + 12 * column, 8 + 24 * row
            parts.append(
                f'<rect x="{x}" y="{y}" width="12" height="20" fill="{ORANGE}" fill-opacity="{shades[place]:.2f}"/>'
                f'<text x="{x + 6}" y="{y + 15}" font-family="monospace" font-size="15" text-anchor="middle" '
                f'fill="currentColor">{character}</text>'
            )
            place += 1
        place += 1  # the line's end
    _, states = model.stream(tokens, model.initial_state(1))
    state = ops.convert_to_numpy(states[1][1][0])[::8, ::2].T  # every eighth channel, every other number of it
    state = np.sign(state) * np.sqrt(np.abs(state) / np.abs(state).max())
    for row, values in enumerate(state):
        for column, value in enumerate(values):
            if abs(value) > 0.06:
                parts.append(
                    f'<rect x="{12 + 6.75 * column:.1f}" y="{86 + 6 * row}" width="6.8" height="6" '
                    f'fill="{ORANGE if value > 0 else BLUE}" fill-opacity="{abs(value):.2f}"/>'
                )
    return svg(parts)


def diffusion() -> str:
    from kzoo.sampling.diffusion import denoising

    model = kzoo.from_preset("diffusion_mnist")
    way = denoising(model, 1, 3, seed=0, steps=25, guidance_scale=2.0)
    parts = []
    for place, moment in enumerate((0, 5, 10, 15, 24)):
        x = way.states[moment - 1] if moment else model.noise(1, 0)
        if moment == 24:
            x = way.states[moment]
        for row, image in enumerate((x, way.guesses[moment])):
            image = np.clip((image[0, ..., 0] + 1) / 2, 0, 1)
            image = image.reshape(14, 2, 14, 2).mean(axis=(1, 3))
            left, top = 4 + 47 * place, 24 + 48 * row
            parts.append(
                f'<rect x="{left}" y="{top}" width="44" height="44" rx="3" fill="currentColor" opacity="0.08"/>'
            )
            # A path for each of five shades: a rectangle for each of 2,000 pixels would be four times the text.
            for shade in range(1, 6):
                pixels = np.argwhere(np.rint(5 * image) == shade)
                cells = "".join(f"M{x} {y}h1v1h-1" for y, x in pixels)
                parts.append(
                    f'<path transform="translate({left} {top}) scale({44 / 14:.4f})" fill="currentColor" '
                    f'fill-opacity="{shade / 5:g}" d="{cells}"/>'
                )
    return svg(parts)


def vae() -> str:
    data = kzoo.load_data("digits", validation_fraction=0)
    model = kzoo.from_preset("vae_digits")
    codes = model.encode(data.x_test)[0][::4]
    at = np.array([1.0, -1.0])
    colours = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9")
    parts = ['<rect x="8" y="6" width="128" height="128" rx="6" fill="currentColor" fill-opacity="0.06"/>']
    for (x, y), label in zip(codes, data.y_test[::4], strict=True):
        if max(abs(x), abs(y)) < 2.4:
            parts.append(
                f'<text x="{72 + 26 * x:.1f}" y="{73 - 26 * y:.1f}" text-anchor="middle" font-family="sans-serif" '
                f'font-size="9" font-weight="600" fill="{colours[label % 5]}">{label}</text>'
            )
    x, y = 72 + 26 * at[0], 70 - 26 * at[1]
    ring = 'fill="none" stroke="currentColor" stroke-width="2"'
    parts.append(
        f'<circle cx="{x:g}" cy="{y:g}" r="9" {ring}/><path d="M{x + 9:g} {y:g} C124 {y:g} 124 70 146 70" {ring}/>'
    )
    return svg([*parts, *_picture(model.decode([at])[0, ..., 0], 150, 29, 82, "currentColor")])


def gan() -> str:
    import keras

    from kzoo.models.points_gan import PointsGAN
    from kzoo.seeds import seeded

    real = kzoo.load_data("ring", samples=512, validation_fraction=0).x_train
    with seeded(1):
        points = PointsGAN(penalty=0.1)
    points.compile(keras.optimizers.Adam(5e-3, beta_1=0.5, beta_2=0.99))
    for step in range(1200):
        points.train_on_batch(real[np.random.default_rng(step).integers(0, len(real), 128)])
    made = points.sample(70, average=False)
    pulls = points.pulls(made)
    pulls = 0.5 * pulls / np.linalg.norm(pulls, axis=1).max()
    parts = ['<rect x="6" y="6" width="128" height="128" rx="6" fill="currentColor" fill-opacity="0.06"/>']
    parts += [mark(70 + 22 * x, 70 - 22 * y, False, 4) for x, y in real[:96]]
    for (x, y), (u, v) in zip(made, pulls, strict=True):
        if max(abs(x), abs(y)) < 2.7:
            parts.append(
                f'<path d="M{70 + 22 * x:.1f} {70 - 22 * y:.1f}l{22 * u:.1f} {-22 * v:.1f}" stroke="currentColor" '
                'stroke-width="1.2"/>'
            )
            parts.append(mark(70 + 22 * x, 70 - 22 * y, True, 4))
    images = kzoo.from_preset("gan_mnist").sample(4, np.array([3, 5, 6, 9]), seed=2)[..., 0]
    images = images.reshape(4, 14, 2, 14, 2).mean(axis=(2, 4))  # a quarter of the rectangles
    for k, image in enumerate(images):
        parts += _picture(image, 146 + 46 * (k % 2), 25 + 47 * (k // 2), 43, "currentColor")
    return svg(parts)


def lif() -> str:
    from kzoo.bio import LIF, simulate

    neuron, steps = LIF(), 3000
    currents = np.linspace(0.14e-9, 0.45e-9, 30)
    recording = simulate(neuron, np.tile(currents, (steps, 1)), sigma=3e-3, seed=5)
    across = 8 + 224 * np.arange(steps) / steps
    up = 66 - 1.9e3 * (recording.voltage[:, 14] - neuron.v_rest)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across[::12], up[::12], strict=True))
    parts = [f'<polyline points="{path}" fill="none" stroke="{BLUE}" stroke-width="1.8"/>']
    for step in np.flatnonzero(recording.spikes[:, 14]):
        parts.append(f'<path d="M{across[step]:.1f} {up.min():.1f}V6" stroke="{ORANGE}" stroke-width="2.6"/>')
    strokes = "".join(
        f"M{across[step]:.1f} {135 - 2.1 * row:.1f}v-1.9"
        for step, row in zip(*np.nonzero(recording.spikes), strict=True)
    )
    return svg([*parts, f'<path d="{strokes}" stroke="currentColor" stroke-opacity="0.75" stroke-width="1.5"/>'])


def _picture(values, left: float, top: float, size: float, colour: str) -> list[str]:
    values = (values - values.min()) / max(float(np.ptp(values)), 1e-6)
    cell = size / len(values)
    frame = f'<rect x="{left}" y="{top}" width="{size}" height="{size}" rx="4" fill="{colour}" fill-opacity="0.08"/>'
    cells = [
        f'<rect x="{left + cell * j:.2f}" y="{top + cell * i:.2f}" width="{cell:.2f}" height="{cell:.2f}" '
        f'fill="{colour}" fill-opacity="{value:.2f}"/>'
        for i, row in enumerate(values)
        for j, value in enumerate(row)
        if value > 0.04
    ]
    return [frame, *cells]


if __name__ == "__main__":
    for make in (perceptron, mlp, cnn, rnn, mtrnn, transformer, mamba, vae, gan, diffusion, lif):
        (HERE / f"{make.__name__}.svg").write_text(make(), encoding="utf-8")

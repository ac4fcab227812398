// Plays the activity of a network in a page: a grid of neurons that light up with their spikes, the raster and the rate
// beside it under a common cursor. The object it plays is described in activity.py. It draws on canvases, and asks
// nobody for anything.
//
//   const player = kzooActivity(element, data, { seconds: 10, fade: null, play: true, onNeuron: null });
//
//   seconds    of the film in which the whole record passes, at the start
//   fade       seconds of the network's time in which a light falls to 1/e; null: 0.15 s of the film
//   play       whether it starts by itself; never where the visitor has asked for less motion
//   onNeuron   called with (drawn number, number in the network) of a neuron that is clicked in the grid
//
// It gives {play(), pause(), toggle(), seek(seconds), time(), playing(), destroy()}.

function kzooActivity(element, data, options) {
  "use strict";
  const DARK = "#0d1117", DIM = 0.14, GLOW = 0.15;
  const chosen = Object.assign({ seconds: 10, fade: null, play: true, onNeuron: null }, options || {});
  if (!data || data.format !== "kzoo.activity" || data.version !== 1) {
    throw new Error("kzooActivity: this is no kzoo.activity of version 1.");
  }
  const times = unpack(data.ticks, data.ticks_type, data.tick);
  const neurons = unpack(data.neurons, data.neurons_type, 1);
  const shades = data.groups.map((group) => rgb(group.color));
  const places = new Int32Array(data.size), owner = new Uint8Array(data.size);
  data.groups.forEach((group, number) => {
    for (let n = group.start; n < group.stop; n++) {
      places[n] = group.row * data.columns + (n - group.start);
      owner[n] = number;
    }
  });

  // The page
  const root = make("div", null, { className: "kzoo-activity" });
  root.style.cssText = "font: 14px system-ui, sans-serif; max-width: 70rem";
  const pictures = make("div", root);
  pictures.style.cssText = "display: flex; flex-wrap: wrap; gap: 12px; align-items: stretch";
  const grid = canvas(pictures, "The neurons as a grid; a neuron lights up when it spikes", "1 1 18rem");
  const raster = canvas(pictures, "Spikes of each neuron over time, above the rate of each group", "1.2 1 20rem");
  if (chosen.onNeuron) grid.style.cursor = "crosshair";
  raster.style.cursor = "col-resize";
  const bar = make("div", root);
  bar.style.cssText = "display: flex; flex-wrap: wrap; gap: 10px; align-items: center; margin-top: 8px";
  const button = make("button", bar, { type: "button" });
  button.style.cssText = "min-width: 5.5em; padding: 6px 10px; font: inherit; cursor: pointer";
  const scrub = make("input", bar, { type: "range", min: 0, max: 1000, step: 1, value: 0 });
  scrub.style.cssText = "flex: 1 1 10rem; min-width: 8rem";
  scrub.setAttribute("aria-label", "Time of the record");
  const clock = make("span", bar);
  clock.style.cssText = "font-variant-numeric: tabular-nums; min-width: 9.5em; text-align: right";
  const speeds = make("select", make("label", bar, { textContent: "Speed " }));
  speeds.style.cssText = "font: inherit; padding: 4px";
  const slowest = data.duration / chosen.seconds;
  const ways = [1, 1 / 2, 1 / 5, 1 / 10, 1 / 20, 1 / 50, 1 / 100, 1 / 200].concat([slowest]);
  for (const way of ways.filter((way, k) => ways.indexOf(way) === k).sort((a, b) => b - a)) {
    const words = way >= 0.999 && way <= 1.001 ? "real time" : way < 1 ? "1/" + trim(1 / way) : trim(way) + " x";
    make("option", speeds, { value: String(way), textContent: words });
  }
  speeds.value = String(slowest);
  const legend = make("div", root);
  legend.style.cssText = "margin-top: 6px; display: flex; flex-wrap: wrap; gap: 4px 16px; opacity: 0.85";
  for (const group of data.groups) {
    const entry = make("span", legend);
    const spot = make("span", entry);
    spot.style.cssText = "display: inline-block; width: 0.8em; height: 0.8em; border-radius: 50%; margin-right: 6px; " +
      "vertical-align: -0.05em; background: " + group.color;
    const some = data.every > 1 ? " (" + (group.stop - group.start).toLocaleString("en") + " drawn)" : "";
    entry.append(group.of.toLocaleString("en") + " " + group.name + some);
  }
  element.append(root);

  // Time
  let now = 0, running = false, last = null, frame = null, held = null;
  const calm = window.matchMedia && window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  function speed() { return Number(speeds.value); }

  function play() {
    if (running) return;
    if (now >= data.duration) now = 0;
    running = true;
    last = null;
    frame = requestAnimationFrame(advance);
    say();
  }

  function pause() {
    running = false;
    if (frame !== null) cancelAnimationFrame(frame);
    frame = null;
    say();
  }

  function toggle() { if (running) pause(); else play(); }

  function seek(seconds) {
    now = Math.min(Math.max(Number(seconds) || 0, 0), data.duration);
    last = null;
    draw();
  }

  function advance(stamp) {
    if (!running) return;
    if (!root.isConnected) { pause(); return; }  // the page has taken it away
    if (last !== null) now += Math.min(stamp - last, 100) / 1000 * speed();
    last = stamp;
    if (now >= data.duration) now -= data.duration;  // round and round, until somebody stops it
    draw();
    frame = requestAnimationFrame(advance);
  }

  function say() {
    button.textContent = running ? "Pause" : "Play";
    button.setAttribute("aria-pressed", String(running));
  }

  // Drawing
  const light = new Float32Array(data.size);
  const small = document.createElement("canvas");
  small.width = data.columns;
  small.height = data.rows;
  const pixels = small.getContext("2d").createImageData(data.columns, data.rows);
  const ground = rgb(DARK);
  for (let k = 0; k < data.columns * data.rows; k++) pixels.data.set([ground[0], ground[1], ground[2], 255], 4 * k);

  function draw() {
    const fade = chosen.fade || GLOW * speed();
    light.fill(0);
    // Upwards in time, so that of several spikes of a neuron the latest stays.
    const end = after(now);
    for (let k = after(now - 10 * fade); k < end; k++) light[neurons[k]] = Math.exp(Math.min(times[k] - now, 0) / fade);
    for (let n = 0; n < data.size; n++) {
      const share = DIM + (1 - DIM) * light[n], shade = shades[owner[n]], at = 4 * places[n];
      for (let c = 0; c < 3; c++) pixels.data[at + c] = ground[c] + share * (shade[c] - ground[c]);
    }
    small.getContext("2d").putImageData(pixels, 0, 0);
    const pen = grid.getContext("2d");
    pen.fillStyle = DARK;
    pen.fillRect(0, 0, grid.width, grid.height);
    pen.imageSmoothingEnabled = false;
    const box = inside();
    pen.drawImage(small, box.x, box.y, box.cell * data.columns, box.cell * data.rows);
    if (box.cell >= 5) lattice(pen, box);
    const over = raster.getContext("2d");
    over.drawImage(still, 0, 0);
    over.fillStyle = "white";
    over.fillRect(Math.round(now / data.duration * (raster.width - 2)), 0, 2, raster.height);
    scrub.value = String(Math.round(1000 * now / data.duration));
    const words = (1000 * now).toFixed(1) + " of " + (1000 * data.duration).toFixed(0) + " ms";
    clock.textContent = words;
    scrub.setAttribute("aria-valuetext", words);
  }

  function inside() {
    const cell = Math.min(grid.width / data.columns, grid.height / data.rows);
    return { cell: cell, x: (grid.width - cell * data.columns) / 2, y: (grid.height - cell * data.rows) / 2 };
  }

  function lattice(pen, box) {
    pen.strokeStyle = DARK;
    pen.lineWidth = Math.max(1, box.cell / 12);
    pen.beginPath();
    for (let k = 0; k <= data.columns; k++) {
      pen.moveTo(box.x + k * box.cell, box.y);
      pen.lineTo(box.x + k * box.cell, box.y + box.cell * data.rows);
    }
    for (let k = 0; k <= data.rows; k++) {
      pen.moveTo(box.x, box.y + k * box.cell);
      pen.lineTo(box.x + box.cell * data.columns, box.y + k * box.cell);
    }
    pen.stroke();
  }

  const still = document.createElement("canvas");

  function drawStill() {  // what lies under the cursor, drawn once for each size of the page
    still.width = raster.width;
    still.height = raster.height;
    const pen = still.getContext("2d"), wide = still.width, tall = Math.floor(still.height * 0.72);
    pen.fillStyle = DARK;
    pen.fillRect(0, 0, wide, still.height);
    const dot = Math.max(1, Math.min(3, tall / data.size));
    for (let number = 0; number < data.groups.length; number++) {
      pen.fillStyle = data.groups[number].color;
      for (let k = 0; k < times.length; k++) {
        if (owner[neurons[k]] !== number) continue;
        pen.fillRect(times[k] / data.duration * (wide - dot), neurons[k] / data.size * (tall - dot), dot, dot);
      }
    }
    let most = 0;
    for (const group of data.groups) for (const rate of data.rate.values[group.name]) most = Math.max(most, rate);
    const foot = still.height - 4, room = still.height - tall - 12;
    pen.lineWidth = Math.max(1, still.height / 400);
    for (const group of [...data.groups].sort((a, b) => a.of - b.of)) {  // the smoothest on top
      const rates = data.rate.values[group.name];
      pen.strokeStyle = group.color;
      pen.beginPath();
      rates.forEach((rate, k) => {
        const x = (k + 0.5) / rates.length * wide, y = foot - (most ? rate / most : 0) * room;
        if (k) pen.lineTo(x, y); else pen.moveTo(x, y);
      });
      pen.stroke();
    }
    pen.fillStyle = "#c9d1d9";
    pen.font = Math.round(12 * scale()) + "px system-ui, sans-serif";
    pen.textBaseline = "top";
    pen.fillText("rate, up to " + trim(most) + " Hz", 6 * scale(), tall + 6);
  }

  function scale() { return window.devicePixelRatio || 1; }

  function fit() {
    for (const sheet of [grid, raster]) {
      const box = sheet.getBoundingClientRect();
      sheet.width = Math.max(50, Math.round(box.width * scale()));
      sheet.height = Math.max(50, Math.round(box.height * scale()));
    }
    drawStill();
    draw();
  }

  // Hands
  button.addEventListener("click", toggle);
  scrub.addEventListener("input", () => seek(Number(scrub.value) / 1000 * data.duration));
  speeds.addEventListener("change", draw);
  raster.addEventListener("pointerdown", (event) => {
    held = event.pointerId;
    raster.setPointerCapture(held);
    point(event);
  });
  raster.addEventListener("pointermove", (event) => { if (event.pointerId === held) point(event); });
  for (const kind of ["pointerup", "pointercancel"]) raster.addEventListener(kind, () => { held = null; });
  grid.addEventListener("click", (event) => {
    const drawn = neuronAt(event);
    if (drawn === null || !chosen.onNeuron) return;
    const group = data.groups[owner[drawn]];
    chosen.onNeuron(drawn, group.first + (drawn - group.start) * data.every);
  });

  function point(event) {
    const box = raster.getBoundingClientRect();
    seek((event.clientX - box.left) / box.width * data.duration);
  }

  function neuronAt(event) {
    const page = grid.getBoundingClientRect(), box = inside();
    const column = Math.floor(((event.clientX - page.left) * grid.width / page.width - box.x) / box.cell);
    const row = Math.floor(((event.clientY - page.top) * grid.height / page.height - box.y) / box.cell);
    if (column < 0 || column >= data.columns || row < 0 || row >= data.rows) return null;
    for (const group of data.groups) {
      const drawn = group.start + (row - group.row) * data.columns + column;
      if (row >= group.row && drawn < group.stop) return drawn;
    }
    return null;
  }

  // Small things
  function after(time) {  // how many spikes come until this moment, it included, but for rounding
    let low = 0, high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] <= time + 1e-9) low = middle + 1; else high = middle;
    }
    return low;
  }

  function unpack(text, kind, unit) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)), view = new DataView(bytes.buffer);
    const width = kind === "u2" ? 2 : 4, found = new Float64Array(bytes.length / width);
    for (let k = 0; k < found.length; k++) {
      found[k] = (width === 2 ? view.getUint16(2 * k, true) : view.getUint32(4 * k, true)) * unit;
    }
    return found;
  }

  function rgb(text) { return [1, 3, 5].map((k) => parseInt(text.slice(k, k + 2), 16)); }

  function trim(number) { return String(Number(number.toPrecision(3))); }

  function make(tag, parent, properties) {
    const made = Object.assign(document.createElement(tag), properties || {});
    if (parent) parent.append(made);
    return made;
  }

  function canvas(parent, words, flex) {
    const made = make("canvas", parent);
    made.style.cssText = "flex: " + flex + "; min-width: 0; width: 16rem; height: min(26rem, 90vw); border-radius: 6px; " +
      "background: " + DARK + "; touch-action: pan-y";
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", words);
    return made;
  }

  const watch = new ResizeObserver(fit);
  watch.observe(pictures);
  fit();
  say();
  if (chosen.play && !calm) play();

  return {
    play: play,
    pause: pause,
    toggle: toggle,
    seek: seek,
    time: () => now,
    playing: () => running,
    destroy: () => { pause(); watch.disconnect(); root.remove(); },
  };
}

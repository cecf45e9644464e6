// The graph of a line, in the place of the picture that stands there without scripts.
"use strict";
(async () => {
  const place = document.getElementById("graph");
  if (!place || typeof uPlot === "undefined") return;
  const answer = await fetch(place.dataset.series);
  if (!answer.ok) return;
  const { columns } = await answer.json();
  if (!columns[0].length) return;
  let plot = null;
  const hours = (columns[0].at(-1) - columns[0][0]) / 3600;
  const moment = (at) => new Date(at * 1000).toLocaleString([], hours > 48 ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" });
  const draw = () => {
    const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue("color") && getComputedStyle(place.querySelector(`.ink-${name}`) ?? place).color;
    const probe = document.createElement("div");
    for (const name of ["delay", "jitter", "loss", "grid"]) { const one = document.createElement("i"); one.className = `ink-${name}`; probe.append(one); }
    plot?.destroy();
    place.replaceChildren(probe);
    const axis = (more) => ({ stroke: getComputedStyle(place).color, grid: { stroke: ink("grid"), width: 1 }, ticks: { stroke: ink("grid") }, ...more });
    const { delay, jitter, loss } = place.dataset;
    const many = columns[0].length > 1;
    plot = new uPlot({
      width: place.clientWidth, height: 300, cursor: { drag: { x: true, y: false } },
      scales: { ms: { range: (u, low, high) => [0, Math.max(50, high * 1.1)] }, "%": { range: (u, low, high) => [0, Math.min(100, Math.max(5, high * 1.2))] } },
      axes: [axis({ values: (u, all) => all.map(moment), space: 70 }), axis({ scale: "ms", values: (u, all) => all.map((v) => `${v} ms`), size: 64 }), axis({ scale: "%", side: 1, values: (u, all) => all.map((v) => `${v} %`), grid: { show: false } })],
      series: [{ value: (u, at) => (at ? new Date(at * 1000).toLocaleString() : "–") }, { label: delay, scale: "ms", stroke: ink("delay"), width: 2, points: { show: !many } }, { label: jitter, scale: "ms", stroke: ink("jitter"), width: 1, dash: [4, 3], points: { show: !many } }, { label: loss, scale: "%", stroke: ink("loss"), fill: ink("loss"), width: 1, points: { show: !many } }],
    }, columns, place);
  };
  draw();
  addEventListener("resize", () => plot?.setSize({ width: place.clientWidth, height: 300 }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();

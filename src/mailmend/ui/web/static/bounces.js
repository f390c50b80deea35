// Bounces: failures over time by address family, with a dashed line at each change; a file that is dropped is chosen.
"use strict";
{
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const COLOURS = { IPv6: "--bounced", IPv4: "--sent" };
const drawn = new Map();

function marks(data) {
  return (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("--cure");
    ctx.setLineDash([6, 4]);
    ctx.lineWidth = 2;
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    for (const mark of data.marks) {
      const x = plot.valToPos(mark.at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.textAlign = x > bbox.left + bbox.width / 2 ? "right" : "left";
      ctx.fillText(` ${mark.id} `, x, bbox.top + 12 * devicePixelRatio);
    }
    ctx.restore();
  };
}

// Times of the server's zone, in 24 hours; the day where it begins.
function clocks(data) {
  return (plot, splits) => splits.map((at) => {
    const told = new Date((at + data.offset) * 1000).toISOString();
    return told.slice(11, 16) === "00:00" ? told.slice(5, 10) : told.slice(11, 16);
  });
}

function draw(box) {
  const data = JSON.parse(box.dataset.plot);
  drawn.get(box)?.destroy();
  const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  // Steps without filling: one family hides nothing of another.
  const series = data.series.map((one) => ({
    label: one.name,
    stroke: colour(COLOURS[one.name] || "--deferred"),
    dash: one.name === "IPv4" ? [8, 3] : undefined,
    width: 2,
    points: { show: false },
    paths: uPlot.paths.stepped({ align: 1 }),
  }));
  const last = data.x[data.x.length - 1] + data.step;
  const options = {
    width: box.clientWidth,
    height: 200,
    tzDate: (at) => uPlot.tzDate(new Date((at + data.offset) * 1000), "Etc/UTC"),
    scales: { x: { time: true, range: [data.x[0], last] }, y: { range: (plot, low, high) => [0, Math.max(high, 1)] } },
    axes: [{ ...axis, values: clocks(data) }, { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6] }],
    series: [{ value: "{YYYY}-{MM}-{DD} {HH}:{mm}" }, ...series],
    legend: { live: true },
    cursor: { drag: { x: true, y: false } },
    hooks: { draw: [marks(data)] },
  };
  // A step reaches to the next point: the last one to the end of its time.
  drawn.set(box, new uPlot(options, [[...data.x, last], ...data.series.map((one) => [...one.y, one.y.at(-1)])], box));
}

function drawAll() {
  for (const box of drawn.keys()) if (!box.isConnected) { drawn.get(box).destroy(); drawn.delete(box); }
  for (const box of document.querySelectorAll("[data-plot]")) if (!drawn.has(box)) draw(box);
}

function again() {
  for (const box of drawn.keys()) draw(box);
}

if (window.uPlot) {
  drawAll();
  new MutationObserver(drawAll).observe(document.getElementById("main"), { childList: true, subtree: true });
  new MutationObserver(again).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; again(); } });
}

for (const form of document.querySelectorAll("form.drop")) {
  const field = form.querySelector("input[type=file]");
  form.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("over"); });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    if (event.dataTransfer.files.length) { field.files = event.dataTransfer.files; form.requestSubmit(); }
  });
}
}

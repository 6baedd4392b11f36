// Bars: data-chart holds {"labels": [...], "values": [...], "unit": "rows", "states": [...], "links": [...], "notes": [...]}.
// `states` (done, failed, differs, running) colour a bar each, `links` lead where a bar leads, `notes` are added
// to what a bar says; each may be left out.
(() => {
  const drawn = new Map();
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // A bar's whole column is clicked, because a bar may be as low as nothing.
  const leads = new WeakMap();
  const made = (element) => {
    const chart = echarts.init(element, null, { renderer: "svg" });
    const paper = chart.getZr();
    const under = ({ offsetX: x, offsetY: y }) =>
      chart.containPixel("grid", [x, y]) && leads.get(chart)?.[chart.convertFromPixel({ seriesIndex: 0 }, [x, y])[0]];
    paper.on("click", (event) => { const to = under(event); if (to) location.href = to; });
    paper.on("mousemove", (event) => { if (under(event)) paper.setCursorStyle("pointer"); });
    drawn.set(element, chart);
    return chart;
  };
  const draw = (element) => {
    const { labels, values, unit = "", states = [], links = [], notes = [] } = JSON.parse(element.dataset.chart);
    const colours = { failed: style("--tblr-red"), differs: style("--tblr-orange"), running: style("--tblr-azure"), queued: style("--tblr-azure") };
    const chart = drawn.get(element) || made(element);
    const quiet = { axisLine: { show: false }, axisTick: { show: false } };
    const text = { color: style("--tblr-secondary"), fontFamily: "inherit" };
    chart.setOption({
      animation: false,
      grid: { left: 4, right: 4, top: 8, bottom: 2, containLabel: true },
      tooltip: {
        trigger: "axis", axisPointer: { type: "shadow" }, confine: true, renderMode: "richText",
        backgroundColor: style("--tblr-bg-surface"), borderColor: style("--tblr-border-color"), textStyle: { ...text, color: style("--tblr-body-color") },
        formatter: ([{ name, value, dataIndex: at }]) =>
          `${name}\n${Number(value).toLocaleString("en")} ${unit}${notes[at] ? `\n${notes[at]}` : ""}`,
      },
      xAxis: { type: "category", data: labels, ...quiet, axisLabel: { ...text, hideOverlap: true } },
      yAxis: { type: "value", ...quiet, axisLabel: text, splitLine: { lineStyle: { color: style("--tblr-border-color") } } },
      series: [{
        type: "bar", barMaxWidth: 28, barMinHeight: 3,
        data: values.map((value, at) => ({
          value, itemStyle: { color: colours[states[at]] || style("--tblr-primary"), borderRadius: [3, 3, 0, 0] },
        })),
      }],
    });
    leads.set(chart, links);
  };
  const drawAll = () => {
    for (const [element, chart] of drawn) if (!element.isConnected) { chart.dispose(); drawn.delete(element); }
    document.querySelectorAll("[data-chart]").forEach(draw);
  };
  addEventListener("resize", () => drawn.forEach((chart) => chart.resize()));
  addEventListener("bascule:theme", () => setTimeout(drawAll));
  document.addEventListener("htmx:after:swap", drawAll);
  drawAll();
})();

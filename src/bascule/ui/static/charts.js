// Bars: data-chart holds {"labels": [...], "values": [...], "unit": "rows", "states": [...], "links": [...], "notes": [...]}.
// `states` (done, failed, running) colour a bar each, `links` lead where a bar leads, `notes` are added
// to what a bar says; each may be left out.
(() => {
  const drawn = new Map();
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const draw = (element) => {
    const { labels, values, unit = "", states = [], links = [], notes = [] } = JSON.parse(element.dataset.chart);
    const colours = { failed: style("--tblr-red"), running: style("--tblr-azure"), queued: style("--tblr-azure") };
    const chart = drawn.get(element) || echarts.init(element, null, { renderer: "svg" });
    drawn.set(element, chart);
    const quiet = { axisLine: { show: false }, axisTick: { show: false } };
    const text = { color: style("--tblr-secondary"), fontFamily: "inherit" };
    chart.setOption({
      animation: false,
      grid: { left: 4, right: 4, top: 8, bottom: 2, containLabel: true },
      tooltip: {
        trigger: "axis", axisPointer: { type: "shadow" }, confine: true, renderMode: "richText",
        formatter: ([{ name, value, dataIndex: at }]) =>
          `${name}\n${Number(value).toLocaleString("en")} ${unit}${notes[at] ? `\n${notes[at]}` : ""}`,
      },
      xAxis: { type: "category", data: labels, ...quiet, axisLabel: { ...text, hideOverlap: true } },
      yAxis: { type: "value", ...quiet, axisLabel: text, splitLine: { lineStyle: { color: style("--tblr-border-color") } } },
      series: [{
        type: "bar", barMaxWidth: 28, barMinHeight: 3, cursor: links.length ? "pointer" : "default",
        data: values.map((value, at) => ({
          value, itemStyle: { color: colours[states[at]] || style("--tblr-primary"), borderRadius: [3, 3, 0, 0] },
        })),
      }],
    });
    chart.off("click");
    if (links.length) chart.on("click", ({ dataIndex }) => { location.href = links[dataIndex]; });
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

// Formats numbers with three significant figures and a fitting unit.

const counts = new Intl.NumberFormat("en");
const SPACE = "\u202f"; // a narrow space that does not break, between a figure and its unit

const short = (value) => (value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2));

export function count(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 1e9) return short(value / 1e9) + SPACE + "G";
  return value >= 1e7 ? short(value / 1e6) + SPACE + "M" : counts.format(Math.round(value));
}

export function percent(share) {
  if (share === null || share === undefined) return "–";
  if (share <= 0) return "0" + SPACE + "%";
  if (share >= 1) return "100" + SPACE + "%";
  // 99.99 % must not read as 100 %, nor 0.01 % as 0 %.
  return Math.min(99.9, Math.max(0.1, share * 100)).toFixed(1) + SPACE + "%";
}

// A duration as pairs of figure and unit, such as [["2", "h"], ["41", "min"]].
export function durationParts(seconds) {
  const size = Math.abs(seconds);
  const sign = seconds < 0 ? "−" : "";
  if (size === 0) return [["0", "s"]];
  if (size < 999.5e-9) return [[sign + Math.max(1, size * 1e9).toFixed(0), "ns"]];
  if (size < 999.5e-6) return [[sign + short(size * 1e6), "µs"]];
  if (size < 0.9995) return [[sign + short(size * 1e3), "ms"]];
  if (size < 59.95) return [[sign + short(size), "s"]];
  const whole = Math.round(size);
  if (size < 3599.5) return [[sign + Math.floor(whole / 60), "min"], [String(whole % 60), "s"]];
  const minutes = Math.round(size / 60);
  if (minutes < 24 * 60) return [[sign + Math.floor(minutes / 60), "h"], [String(minutes % 60), "min"]];
  const hours = Math.round(size / 3600);
  return [[sign + counts.format(Math.floor(hours / 24)), "d"], [String(hours % 24), "h"]];
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  return durationParts(seconds).map(([figure, unit]) => figure + SPACE + unit).join(" ");
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (value >= 999.5 && at < units.length - 1) { value /= 1024; at += 1; }
  return (at ? short(value) : String(Math.round(value))) + SPACE + units[at];
}

export function rate(perSecond) {
  if (perSecond >= 100) return count(perSecond) + "/s";
  return (perSecond >= 1 || perSecond === 0 ? perSecond.toFixed(perSecond ? 1 : 0) : perSecond.toFixed(2)) + "/s";
}

export function ago(seconds) {
  if (seconds < 1.5) return "just now";
  const [[figure, unit]] = durationParts(Math.round(seconds));
  return `${Math.round(Number(figure.replaceAll(",", "")))}${SPACE}${unit} ago`;
}

export const clock = (atS) => new Date(atS * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

export function times(factor) {
  if (factor === 1) return "at its current size";
  if (factor > 1) return factor === 2 ? "twice as large" : `${short(factor).replace(/\.?0+$/, "")} times as large`;
  const divisor = 1 / factor;
  return divisor === 2 ? "half as large" : `1/${short(divisor).replace(/\.?0+$/, "")} of its size`;
}

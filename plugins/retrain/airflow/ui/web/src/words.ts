/* Durations, numbers, shares, versions and moments as every surface says them. `retrain/words.py` says the same;
   tests/golden/words.json holds both to the same words. */

const UNITS: readonly (readonly [string, number])[] = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** `3 d 4 h`, `4 min 10 s`, `12 s`, `0.8 s`: two units at most, and no second one that is zero. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return number(seconds);
  if (seconds < 0) return `-${duration(-seconds)}`;
  const tenths = Math.floor(seconds * 10 + 0.5);
  if (tenths < 100) return tenths === 0 && seconds > 0 ? "< 0.1 s" : `${tenths / 10} s`;
  for (let index = 0; index + 1 < UNITS.length; index++) {
    const [unit, size] = UNITS[index]!;
    const [smaller, step] = UNITS[index + 1]!;
    const rounded = Math.floor(seconds / step + 0.5) * step;
    if (rounded < size) continue;
    const rest = (rounded % size) / step;
    return `${grouped(Math.floor(rounded / size))} ${unit}${rest ? ` ${rest} ${smaller}` : ""}`;
  }
  return `${Math.floor(seconds + 0.5)} s`;
}

/** Four digits that count, whole numbers whole: `1,234,567`, `12.35`, `0.1234`, `1.2e-05`. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "∞" : "-∞";
  const size = Math.abs(value);
  const sign = value < 0 ? "-" : "";
  if (size >= 1e15) return sign + scientific(size);
  if (Number.isInteger(size) || size >= 999.95) return sign + grouped(Math.floor(size + 0.5));
  return sign + (size < 1e-4 ? scientific(size) : unpadded(size.toPrecision(4)));
}

/** With its sign, for a difference. */
export function signed(value: number): string {
  return value > 0 ? `+${number(value)}` : number(value);
}

/** A part of one in per cent: `12.5 %`. What is not nothing, or not all, is not said so. */
export function share(value: number): string {
  if (!Number.isFinite(value)) return number(value);
  const thousandths = Math.floor(Math.abs(value) * 1000 + 0.5);
  if (value > 0 && value < 1 && thousandths === 0) return "< 0.1 %";
  if (value > 0 && value < 1 && thousandths === 1000) return "> 99.9 %";
  return `${value < 0 && thousandths ? "-" : ""}${grouped(Math.floor(thousandths / 10))}${
    thousandths % 10 ? `.${thousandths % 10}` : ""
  } %`;
}

/** `version 3`. */
export function version(value: number): string {
  return `version ${value}`;
}

/** `2026-11-21 03:00` in the viewer's zone. */
export function moment(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** The same in UTC, to the second. */
export function utc(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** The time of a day that is clear, `03:00:07`, in the viewer's zone. */
export function clock(at: Date): string {
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
}

/** Text of unknown origin: what would steer a terminal, hide, or turn the line around is shown as �, not obeyed. */
export function inert(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, "\ufffd");
}

/** The first so many characters. */
export function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function grouped(whole: number): string {
  return String(whole).replace(/\B(?=(\d{3})+$)/g, ",");
}

function unpadded(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function scientific(size: number): string {
  const [digits, exponent] = size.toExponential(3).split("e") as [string, string];
  return `${unpadded(digits)}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

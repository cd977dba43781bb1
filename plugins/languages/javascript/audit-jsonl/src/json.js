// JSON that stays what it was: numbers keep all their digits, and 1.0 does not become 1. It is written as the examples
// in Rust write it, with the keys of tables in order.

/** A number as it was written. */
export class Numeral {
  constructor(source) {
    this.source = source;
  }
}

/** Reads JSON with all of its numbers as they were written. */
export function exact(json) {
  const revive = (_key, value, { source }) => (typeof value === "number" ? new Numeral(source) : value);
  return JSON.parse(json, revive);
}

export function write(value) {
  if (value instanceof Numeral) return writeNumber(value.source);
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const pairs = Object.entries(value).sort(([a], [b]) => compare(a, b));
  return `{${pairs.map(([key, each]) => `${JSON.stringify(key)}:${write(each)}`).join(",")}}`;
}

/** An integer of 64 bits as it is; everything else as the shortest text for the number of 64 bits that it is. */
function writeNumber(source) {
  if (/^(0|-?[1-9]\d*)$/.test(source) && fits(BigInt(source))) return source;
  const number = Number(source);
  if (Object.is(number, -0)) return "-0.0";
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-5 || size >= 1e16)) return number.toExponential();
  return Number.isInteger(number) ? `${number}.0` : `${number}`;
}

function fits(integer) {
  return integer >= -(2n ** 63n) && integer < 2n ** 64n;
}

/** Compares by code points; JavaScript would compare halves of characters. */
function compare(a, b) {
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((character, i) => character !== right[i]);
  if (at < 0) return left.length - right.length;
  return left[at].codePointAt(0) - (right[at]?.codePointAt(0) ?? -1);
}

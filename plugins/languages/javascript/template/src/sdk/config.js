// The table `config` of runner.toml.
//
//   const config = table({
//     window: words(["run", "play"]),      // needed, since it has no default
//     maxFailedHosts: u32(null),           // the key is `max-failed-hosts`; null when it is absent
//     groups: list(text(), []),
//   });

import { get, secret } from "playwarden:plugin/config@0.1.0";

import { fail } from "./answer.js";

/** A secret granted by name. The host never prints or records it; do not log it either. */
export { secret };

// A kind says how the value of a key is read, and what it is when the key is absent.

/** A number as it was written: 1 is a count, 1.0 is none, and JavaScript would not tell them apart. */
class Numeral {
  constructor(source) {
    this.source = source;
  }
}

class Wrong extends Error {
  constructor(pointer, message) {
    super(message);
    this.pointer = pointer;
  }
}

export function boolean(fallback) {
  return kind("a boolean", fallback, (value) => (typeof value === "boolean" ? value : undefined));
}

/** A count, from 0 to 4294967295, as all counts of the contract are. */
export function u32(fallback) {
  return integer("u32", 0, 2 ** 32 - 1, fallback);
}

/** An integer that JavaScript can hold. */
export function i64(fallback) {
  return integer("i64", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, fallback);
}

export function f64(fallback) {
  return kind("f64", fallback, (value) => (value instanceof Numeral ? Number(value.source) : undefined));
}

export function text(fallback) {
  return kind("a string", fallback, (value) => (typeof value === "string" ? value : undefined));
}

/** One of some words. */
export function words(all, fallback) {
  return kind("string or map", fallback, (value, pointer) => {
    if (typeof value !== "string") return undefined;
    const word = all.find((word) => word === value);
    if (word === undefined) throw new Wrong(pointer, `\`${value}\` is not one of ${quoted(all)}`);
    return word;
  });
}

export function list(of, fallback) {
  return kind("a sequence", fallback, (value, pointer) =>
    Array.isArray(value) ? value.map((each, i) => of.read(each, `${pointer}/${i}`)) : undefined,
  );
}

/** Names the keys of the table, in camelCase for kebab-case. Ask it only within hooks. */
export function table(kinds) {
  const known = new Map(Object.entries(kinds).map(([name, kind]) => [kebab(name), { name, kind }]));
  let values;

  /** Reads what can be read, and says what is wrong with the rest; null when a key is missing. */
  function check() {
    const found = {};
    const problems = [];
    const table = parse(get("") ?? "{}");
    for (const [key, value] of Object.entries(table)) {
      const field = known.get(key);
      try {
        if (!field) throw new Wrong(pointerTo(key), unknownKey(key, [...known.keys()]));
        found[field.name] = field.kind.read(value, pointerTo(key));
      } catch (wrong) {
        if (!(wrong instanceof Wrong)) throw wrong;
        problems.push(error(wrong.pointer, wrong.message));
      }
    }
    let isWhole = true;
    for (const [key, { name, kind }] of known) {
      if (name in found) continue;
      found[name] = kind.fallback;
      if (kind.fallback !== undefined) continue;
      isWhole = false;
      if (!(key in table)) problems.push(error("", `missing field \`${key}\``));
    }
    return { values: isWhole ? found : null, problems };
  }

  return {
    check,
    /** All that is wrong with the configuration; rules between keys are the author's. */
    problems: () => check().problems,
    /** Reads the whole configuration; a failure that names the key when something is wrong with it. */
    read() {
      if (values) return values;
      const checked = check();
      for (const { pointer, message } of checked.problems) throw fail(`config${pointer}: ${message}`);
      return (values = checked.values);
    },
  };
}

/** A problem that keeps the plugin from being used. */
export function error(pointer, message) {
  return { severity: "error", pointer, message };
}

/** A problem that is shown while the plugin is used all the same. */
export function warning(pointer, message) {
  return { severity: "warning", pointer, message };
}

function kind(expected, fallback, read) {
  return {
    fallback,
    read(value, pointer) {
      const found = read(value, pointer);
      if (found === undefined) throw new Wrong(pointer, `invalid type: ${said(value)}, expected ${expected}`);
      return found;
    },
  };
}

function integer(word, least, most, fallback) {
  return kind(word, fallback, (value, pointer) => {
    if (!(value instanceof Numeral) || !isInteger(value)) return undefined;
    const number = Number(value.source);
    if (number >= least && number <= most) return number;
    throw new Wrong(pointer, `invalid value: ${said(value)}, expected ${word}`);
  });
}

function parse(json) {
  const revive = (_key, value, { source }) => (typeof value === "number" ? new Numeral(source) : value);
  return JSON.parse(json, revive);
}

function isInteger({ source }) {
  return /^-?\d+$/.test(source);
}

function said(value) {
  if (value instanceof Numeral)
    return `${isInteger(value) ? "integer" : "floating point"} \`${value.source}\``;
  if (typeof value === "boolean") return `boolean \`${value}\``;
  if (typeof value === "string") return `string ${JSON.stringify(value)}`;
  return Array.isArray(value) ? "sequence" : "map";
}

function quoted(all) {
  return all.map((word) => `\`${word}\``).join(", ");
}

function kebab(name) {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function pointerTo(key) {
  return `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function unknownKey(key, known) {
  const slips = known.map((word) => ({ word, wrong: distance(key, word) }));
  slips.sort((a, b) => a.wrong - b.wrong || (a.word < b.word ? -1 : 1));
  // A third of the letters wrong is no slip of the pen any more.
  const near = slips.find(({ wrong }) => wrong * 3 <= Math.max(key.length, 3));
  return near ? `unknown key; did you mean \`${near.word}\`?` : `unknown key; there are ${known.join(", ")}`;
}

/** How many letters must be changed, put in or left out to make one word of the other. */
function distance(from, to) {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (const [i, a] of [...from].entries()) {
    const next = [i + 1];
    for (const [j, b] of [...to].entries()) {
      next.push(Math.min(row[j] + (a === b ? 0 : 1), row[j + 1] + 1, next[j] + 1));
    }
    row = next;
  }
  return row.at(-1);
}

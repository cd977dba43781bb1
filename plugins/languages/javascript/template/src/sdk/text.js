// What QuickJS does not have, or does otherwise than browsers.

/**
 * Writes a moment, in nanoseconds since 1970, to the microsecond as events carry it: `2026-11-22T05:15:34.031376Z`. A
 * number cannot hold all nanoseconds, but rounding finds the microsecond.
 */
export function rfc3339(ns) {
  const micros = Math.round(ns / 1000);
  const seconds = new Date(Math.floor(micros / 1_000_000) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(micros % 1_000_000).padStart(6, "0")}Z`;
}

/** The bytes of a text; there is no TextEncoder. */
export function utf8(text) {
  // What is not ASCII becomes `%` and two digits for each byte.
  const bytes = encodeURIComponent(text).match(/%..|./g) ?? [];
  return Uint8Array.from(bytes, (byte) =>
    byte.length > 1 ? parseInt(byte.slice(1), 16) : byte.charCodeAt(0),
  );
}

/** The text of bytes; there is no TextDecoder. */
export function fromUtf8(bytes) {
  return decodeURIComponent(Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""));
}

/** A count as it is: those above 2147483647 arrive as negative numbers. */
export function unsigned(count) {
  return count >>> 0;
}

// What QuickJS does not have, or does otherwise than browsers.

/**
 * Writes a moment, in nanoseconds since 1970, to the microsecond as events carry it: `2026-11-22T05:15:34.031376Z`. A
 * number cannot hold all nanoseconds, but rounding finds the microsecond.
 */
export function rfc3339(ns: number): string {
  const micros = Math.round(ns / 1000);
  const seconds = new Date(Math.floor(micros / 1_000_000) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(micros % 1_000_000).padStart(6, "0")}Z`;
}

/** The bytes of a text; there is no TextEncoder. */
export function utf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let size = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code < 0x80) {
      bytes[size++] = code;
      continue;
    }
    if (code >= 0xd800 && code < 0xe000) {
      const next = text.charCodeAt(i + 1);
      const isPair = code < 0xdc00 && next >= 0xdc00 && next < 0xe000;
      // Half of a pair is no character.
      code = isPair ? 0x10000 + ((code & 0x3ff) << 10) + (next & 0x3ff) : 0xfffd;
      if (isPair) i++;
    }
    const more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    bytes[size++] = [0, 0xc0, 0xe0, 0xf0][more]! | (code >> (6 * more));
    for (let left = more - 1; left >= 0; left--) bytes[size++] = 0x80 | ((code >> (6 * left)) & 0x3f);
  }
  return bytes.slice(0, size);
}

/** The text of bytes; there is no TextDecoder. */
export function fromUtf8(bytes: Uint8Array): string {
  return decodeURIComponent(Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""));
}

/** A count as it is: those above 2147483647 arrive as negative numbers. */
export function unsigned(count: number): number {
  return count >>> 0;
}

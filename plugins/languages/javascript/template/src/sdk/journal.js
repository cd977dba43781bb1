// The run so far, from its journal. An event handler and a cancel policy can read events up to those that they were
// already handed.

import { read } from "playwarden:plugin/journal@0.1.0";

// How many events are asked for at a time; the contract allows no more.
const PAGE = 1024;

/** All events before a counter, in order: what a plugin that was restarted has lost. */
export function before(source, counter) {
  return between(source, 1, counter);
}

/** All events behind a counter, in order, as far as they can be read. */
export function after(source, counter) {
  return between(source, counter + 1, Infinity);
}

function* between(source, first, end) {
  while (first < end) {
    // Fewer than a page may come, since a page has a limit of bytes too, but none only at the end.
    const page = read(source, first, PAGE);
    for (const event of page) {
      if (event.counter >= end) return;
      yield event;
    }
    first = (page.at(-1)?.counter ?? end) + 1;
  }
}

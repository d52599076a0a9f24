export interface SseEvent {
  readonly event: string;
  readonly data: string;
}

const MAX_BUFFERED_CHARS = 8 * 1024 * 1024;

/**
 * Reads a `text/event-stream` that comes in arbitrary pieces (WHATWG HTML, 9.2.6).
 * Comments (heartbeats), `id` and `retry` are read over; an event without data is none.
 * @throws Error when one line is longer than 8 Mi characters.
 */
export class SseParser {
  #rest = '';
  #event = '';
  #data: string[] = [];

  feed(text: string): SseEvent[] {
    const events: SseEvent[] = [];
    const buffer = this.#rest + text;
    let start = 0;
    for (;;) {
      const end = lineEnd(buffer, start);
      if (end === undefined) break;
      this.#line(buffer.slice(start, end.at), events);
      start = end.next;
    }
    this.#rest = buffer.slice(start);
    if (this.#rest.length > MAX_BUFFERED_CHARS) throw new Error('a line of the live feed is too long');
    return events;
  }

  #line(line: string, events: SseEvent[]): void {
    if (line === '') {
      if (this.#data.length > 0) events.push({ event: this.#event || 'message', data: this.#data.join('\n') });
      this.#event = '';
      this.#data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const raw = colon < 0 ? '' : line.slice(colon + 1);
    const value = raw.startsWith(' ') ? raw.slice(1) : raw;
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
  }
}

/** CRLF, LF or CR. A CR that ends the buffer waits: its LF may be in the next piece. */
function lineEnd(text: string, from: number): { at: number; next: number } | undefined {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10) return { at: i, next: i + 1 };
    if (code === 13) {
      if (i + 1 === text.length) return undefined;
      return { at: i, next: text.charCodeAt(i + 1) === 10 ? i + 2 : i + 1 };
    }
  }
  return undefined;
}

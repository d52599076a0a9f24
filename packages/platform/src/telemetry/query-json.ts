import type { PointColumns, PointValue } from './telemetry-queries.ts';

const PART_BYTES = 65_536;
/** The longest number: a sign, 17 digits, a point, an exponent, with brackets and commas around both numbers. */
const MAX_POINT_BYTES = 64;

/** Points as the JSON text `[[ms,value],…]`. About 50 ns a point; no object is made for one. */
export function pointsToJson(points: PointColumns): string {
  const writer = new JsonWriter();
  const parts: string[] = [];
  for (const part of writer.points(points)) parts.push(part.toString('latin1'));
  parts.push(writer.rest().toString('latin1'));
  return parts.join('');
}

/** An answer as the JSON text `{"metric":[[ms,value],…],…}`. */
export function seriesToJson(metrics: ReadonlyMap<string, PointColumns>): Buffer {
  // Always the same room: 64 KiB more for each small answer made the collector of garbage stop others for milliseconds.
  OWN.begin();
  return Buffer.concat([...writeSeries(OWN, metrics)]);
}

/** The same text in parts of about 64 KiB, made as they are asked for: what a large answer is streamed from. */
export function* seriesJsonParts(metrics: ReadonlyMap<string, PointColumns>): Generator<Buffer, void, void> {
  yield* writeSeries(new JsonWriter(), metrics);
}

function* writeSeries(writer: JsonWriter, metrics: ReadonlyMap<string, PointColumns>): Generator<Buffer, void, void> {
  let separator = '{';
  for (const [metric, points] of metrics) {
    yield* writer.text(`${separator}${asciiJson(metric)}:`);
    separator = ',';
    yield* writer.points(points);
  }
  yield* writer.text(metrics.size === 0 ? '{}' : '}');
  yield writer.rest();
}

/** Fills one buffer after the other; everything in it is ASCII. */
class JsonWriter {
  #buffer = Buffer.allocUnsafe(PART_BYTES);
  #length = 0;

  /** Anew, in the same room. */
  begin(): void {
    this.#length = 0;
  }

  /** What has been written and not given out yet; ends the writer, or is copied before it begins anew. */
  rest(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  *flush(): Generator<Buffer, void, void> {
    if (this.#length === 0) return;
    yield this.rest();
    this.#buffer = Buffer.allocUnsafe(PART_BYTES);
    this.#length = 0;
  }

  *text(text: string): Generator<Buffer, void, void> {
    if (this.#length + text.length > PART_BYTES) yield* this.flush();
    if (text.length > PART_BYTES) yield Buffer.from(text, 'latin1');
    else this.#put(text);
  }

  *points(points: PointColumns): Generator<Buffer, void, void> {
    const count = points.times.length;
    yield* this.text('[');
    for (let at = 0; at < count;) {
      at = this.#fill(points, at);
      if (at < count) {
        yield* this.flush();
        // A text that does not fit beside others.
        const value = points.values[at]!;
        if (typeof value === 'string' && value.length * 6 + MAX_POINT_BYTES > PART_BYTES) {
          yield Buffer.from(`${at > 0 ? ',' : ''}[${points.times[at]!},${asciiJson(value)}]`, 'latin1');
          at++;
        }
      }
    }
    yield* this.text(']');
  }

  /** Writes points until the buffer is full and returns the first one that was not written. */
  #fill(points: PointColumns, from: number): number {
    const { times, values } = points;
    const buffer = this.#buffer;
    for (let i = from; i < times.length; i++) {
      const value = values[i]!;
      const textBytes = typeof value === 'string' ? value.length * 6 : 0;
      if (this.#length + MAX_POINT_BYTES + textBytes > PART_BYTES) return i;
      if (i > 0) buffer[this.#length++] = 0x2c;
      buffer[this.#length++] = 0x5b;
      this.#time(times[i]!);
      buffer[this.#length++] = 0x2c;
      if (typeof value === 'number') this.#number(value);
      else this.#put(asciiJson(value));
      buffer[this.#length++] = 0x5d;
    }
    return times.length;
  }

  /** Thirteen digits, from 2001 to 2286, are written in two halves of small integers. */
  #time(timeMs: number): void {
    if (timeMs < 1e12 || timeMs >= 1e13) {
      this.#put(String(timeMs));
      return;
    }
    const high = Math.floor(timeMs / 1e7);
    this.#digits(high, 6);
    this.#digits(timeMs - high * 1e7, 7);
  }

  /**
   * Sensor values have few decimals: where value = n / 10^d exactly for an n below 2^30, its digits are those of n.
   * (A decimal of at most 15 digits that parses to the value is the shortest text of it.) Others go through String.
   */
  #number(value: number): void {
    if (value > -1e6 && value < 1e6) {
      const whole = Math.round(value);
      if (whole === value) {
        this.#decimal(whole, 1, 0);
        return;
      }
      const tenths = Math.round(value * 10);
      if (tenths / 10 === value) {
        this.#decimal(tenths, 10, 1);
        return;
      }
      const hundredths = Math.round(value * 100);
      if (hundredths / 100 === value) {
        this.#decimal(hundredths, 100, 2);
        return;
      }
      const thousandths = Math.round(value * 1_000);
      if (thousandths / 1_000 === value) {
        this.#decimal(thousandths, 1_000, 3);
        return;
      }
    }
    this.#put(Number.isFinite(value) ? String(value) : 'null');
  }

  #decimal(scaled: number, unit: number, decimals: number): void {
    let rest = scaled;
    if (scaled < 0) {
      this.#buffer[this.#length++] = 0x2d;
      rest = -scaled;
    }
    const whole = Math.floor(rest / unit);
    this.#digits(whole, whole < 10 ? 1 : whole < 100 ? 2 : whole < 1_000 ? 3 : whole < 10_000 ? 4 : whole < 100_000 ? 5 : 6);
    if (decimals === 0) return;
    this.#buffer[this.#length++] = 0x2e;
    this.#digits(rest - whole * unit, decimals);
  }

  #digits(value: number, count: number): void {
    let rest = value | 0;
    for (let at = this.#length + count - 1; at >= this.#length; at--) {
      const next = (rest / 10) | 0;
      this.#buffer[at] = 0x30 + rest - next * 10;
      rest = next;
    }
    this.#length += count;
  }

  #put(ascii: string): void {
    const buffer = this.#buffer;
    for (let i = 0; i < ascii.length; i++) buffer[this.#length++] = ascii.charCodeAt(i);
  }
}

// Of this thread; what it gives out is copied before anything else is written.
const OWN = new JsonWriter();

/** JSON text in which everything beyond ASCII is escaped: a character takes at most 6 bytes, and a byte is a character. */
function asciiJson(value: PointValue): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

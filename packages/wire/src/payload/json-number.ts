/*
 * JSON numbers from bytes, as JSON.parse reads them (RFC 8259, section 6):  -? (0|[1-9][0-9]*) (.[0-9]+)? ([eE][+-]?[0-9]+)?
 *
 * An integer below 2^53 and 10^22 are exact doubles, so one multiplication or division of the two rounds once and gives the
 * correctly rounded value (Clinger, "How to read floating point numbers accurately", PLDI 1990). Up to 18 digits, as true
 * doubles are printed, take one long division. What does not fit either is left to Number().
 */
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, e) => Number(`1e${e}`));
const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const LOWER_E = 0x65;
const UPPER_E = 0x45;
/** So many digits fit 32 bits. */
const SHORT_DIGITS = 9;
const LONG_DIGITS = 18;
/** So many digits are an exact double. */
const EXACT_DIGITS = 15;
/** Cuts a double in halves of 26 bits. */
const SPLIT = 2 ** 27 + 1;
const MARGIN = 2 ** -98;

/**
 * Reads the number at `start` into `out[index]`.
 *
 * It ends where no further character belongs to it; the caller checks what follows, and that it lies within the payload:
 * a number that touches the payload's end may have been read beyond it.
 *
 * @returns the position after it, or -1 when there is no number, or none that is finite.
 */
export function parseJsonNumber(data: Uint8Array, start: number, out: Float64Array, index: number): number {
  let at = start;
  let byte = data[at]!;
  const negative = byte === MINUS;
  if (negative) byte = data[++at]!;
  if (!(byte >= ZERO && byte <= NINE)) return -1;
  let mantissa = byte - ZERO;
  byte = data[++at]!;
  if (mantissa !== 0) {
    while (byte >= ZERO && byte <= NINE) {
      mantissa = (mantissa * 10 + (byte - ZERO)) | 0;
      byte = data[++at]!;
    }
  }
  let decimals = 0;
  if (byte === DOT) {
    const dot = at;
    byte = data[++at]!;
    while (byte >= ZERO && byte <= NINE) {
      mantissa = (mantissa * 10 + (byte - ZERO)) | 0;
      byte = data[++at]!;
    }
    decimals = at - dot - 1;
    if (decimals === 0) return -1;
  }
  const digits = decimals === 0 ? at - start : at - start - 1;
  if (digits > SHORT_DIGITS || byte === LOWER_E || byte === UPPER_E) {
    if (decimals > 0 || digits > EXACT_DIGITS || byte === LOWER_E || byte === UPPER_E) return parseLong(data, start, out, index);
    mantissa = parseInteger(data, negative ? start + 1 : start, at);
  }
  const value = decimals === 0 ? mantissa : mantissa / POWERS_OF_TEN[decimals]!;
  out[index] = negative ? -value : value;
  return at;
}

/** An integer of more than nine digits that is exact, as times are. */
function parseInteger(data: Uint8Array, start: number, end: number): number {
  const middle = end - SHORT_DIGITS;
  let high = 0;
  for (let at = start; at < middle; at++) high = (high * 10 + (data[at]! - ZERO)) | 0;
  let low = 0;
  for (let at = Math.max(start, middle); at < end; at++) low = (low * 10 + (data[at]! - ZERO)) | 0;
  return high * 1e9 + low;
}

/** More than nine digits, or an exponent. The short way has seen that the digits and the dot are in order. */
function parseLong(data: Uint8Array, start: number, out: Float64Array, index: number): number {
  const negative = data[start] === MINUS;
  let at = negative ? start + 1 : start;
  let high = 0;
  let low = 0;
  let significant = 0;
  let dot = -1;
  for (; ; at++) {
    const byte = data[at]!;
    if (byte === DOT && dot < 0) {
      dot = at;
      continue;
    }
    if (!isDigit(byte)) break;
    if (significant < SHORT_DIGITS) high = (high * 10 + (byte - ZERO)) | 0;
    else if (significant < LONG_DIGITS) low = (low * 10 + (byte - ZERO)) | 0;
    if ((high | significant) !== 0) significant++;
  }
  let exponent = dot < 0 ? 0 : dot + 1 - at;
  if (data[at] === LOWER_E || data[at] === UPPER_E) {
    const sign = data[at + 1];
    at += sign === PLUS || sign === MINUS ? 2 : 1;
    if (!isDigit(data[at]!)) return -1;
    let written = 0;
    // Thousands of digits only have to stay beyond every power; Number() reads what matters.
    while (isDigit(data[at]!)) written = Math.min(written * 10 + (data[at++]! - ZERO), 1_000_000);
    exponent += sign === MINUS ? -written : written;
  }
  let value = decimal(high, low, significant, exponent);
  if (Number.isNaN(value)) value = Number(ascii(data, start, at));
  else if (negative) value = -value;
  if (!Number.isFinite(value)) return -1;
  out[index] = value;
  return at;
}

/** The double nearest to the digits of `high` and then `low`, times 10^exponent; NaN where this cannot be told here. */
function decimal(high: number, low: number, significant: number, exponent: number): number {
  if (significant > LONG_DIGITS || exponent < -22 || exponent > 22) return NaN;
  const shift = POWERS_OF_TEN[significant > SHORT_DIGITS ? significant - SHORT_DIGITS : 0]!;
  if (significant <= EXACT_DIGITS) {
    const mantissa = high * shift + low;
    return exponent < 0 ? mantissa / POWERS_OF_TEN[-exponent]! : mantissa * POWERS_OF_TEN[exponent]!;
  }
  return exponent > 0 ? NaN : divideLong(high, low, shift, POWERS_OF_TEN[-exponent]!);
}

/**
 * (high * shift + low) / divisor in double-double arithmetic (Dekker, "A floating-point technique for extending the available
 * precision", 1971): the dividend is an exact sum of two doubles, the quotient one with an error below 2^-100 of it. Where
 * such an error could not change what it rounds to, that is the nearest double.
 */
function divideLong(high: number, low: number, shift: number, divisor: number): number {
  const product = high * shift;
  const sum = product + low;
  const lowPart = sum - product;
  const tail = productError(high, shift, product) + (product - (sum - lowPart) + (low - lowPart));
  const quotient = sum / divisor;
  const back = quotient * divisor;
  const rest = (sum - back - productError(quotient, divisor, back) + tail) / divisor;
  const margin = quotient * MARGIN;
  const below = quotient + (rest - margin);
  const above = quotient + (rest + margin);
  return below === above ? below : NaN;
}

/** a * b - product, exactly. */
function productError(a: number, b: number, product: number): number {
  const aScaled = a * SPLIT;
  const aHigh = aScaled - (aScaled - a);
  const aLow = a - aHigh;
  const bScaled = b * SPLIT;
  const bHigh = bScaled - (bScaled - b);
  const bLow = b - bHigh;
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function ascii(data: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at++) text += String.fromCharCode(data[at]!);
  return text;
}

import {
  DuckDBTypeId,
  type DuckDBDataChunk,
  type DuckDBType,
  type DuckDBValue,
  JsonDuckDBValueConverter,
  type DuckDBValueConverter,
  type Json,
  type DuckDBTimestampValue,
} from '@duckdb/node-api';

const utf8 = new TextEncoder();

/**
 * Rows as arrays, in an array: times as in ISO 8601 with a Z, whole numbers beyond 2^53 as text, NaN and infinities as
 * text; lists and structs as JSON, of anything else its text.
 */
export class JsonEncoder {
  #first = true;

  begin(): Uint8Array {
    return utf8.encode('[');
  }

  rows(chunk: DuckDBDataChunk, count: number): Uint8Array {
    let text = '';
    const columns = chunk.convertColumns(toJson);
    for (let row = 0; row < count; row++) {
      text += this.#first ? '\n[' : ',\n[';
      this.#first = false;
      for (let column = 0; column < columns.length; column++) {
        if (column > 0) text += ',';
        text += JSON.stringify(columns[column]![row] ?? null);
      }
      text += ']';
    }
    return utf8.encode(text);
  }

  end(): Uint8Array {
    return utf8.encode(this.#first ? ']' : '\n]');
  }
}

const toJson: DuckDBValueConverter<Json> = (value: DuckDBValue, type: DuckDBType, converter: DuckDBValueConverter<Json>) => {
  if (value === null) return null;
  switch (type.typeId) {
    case DuckDBTypeId.BIGINT:
    case DuckDBTypeId.UBIGINT:
    case DuckDBTypeId.HUGEINT:
    case DuckDBTypeId.UHUGEINT:
      return safeNumber(value as bigint);
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_TZ:
      return isoTime((value as DuckDBTimestampValue).micros);
    case DuckDBTypeId.DECIMAL:
      return decimal(String(value));
    default:
      return JsonDuckDBValueConverter(value, type, converter);
  }
};

function safeNumber(value: bigint): Json {
  return value >= -9_007_199_254_740_991n && value <= 9_007_199_254_740_991n ? Number(value) : String(value);
}

/** A number where that says all of it. */
function decimal(text: string): Json {
  return text.replaceAll(/[-.]/g, '').length <= 15 ? Number(text) : text;
}

const MAX_MICROS = 8_640_000_000_000_000_000n;

/** `2026-11-22T05:00:00Z`, with as many digits as there are. */
function isoTime(micros: bigint): Json {
  if (micros > MAX_MICROS || micros < -MAX_MICROS) return micros > 0n ? 'infinity' : '-infinity';
  const below = ((micros % 1000n) + 1000n) % 1000n;
  const ms = Number((micros - below) / 1000n);
  const text = new Date(ms).toISOString();
  if (below !== 0n) return `${text.slice(0, -1)}${String(below).padStart(3, '0')}Z`;
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : text;
}

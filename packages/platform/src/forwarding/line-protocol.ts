import type { OutgoingRecord, OutgoingSample } from './delivery.ts';
import type { SampleValue } from './samples.ts';

/*
 * InfluxDB's line protocol, a line a sample:
 *
 *   telemetry,device=boiler-7 temperature=21.5,door="open",on=true 1700000000000000000
 *   measurement,tag           fields                               ns since 1970
 */

/** Lines of a record's samples, each ended. */
export function linesOf(record: OutgoingRecord, measurement: string): string {
  const head = `${escaped(measurement, /[, ]/g)},device=${escaped(record.device, /[,= ]/g)}`;
  let lines = '';
  for (const sample of record.samples ?? []) lines += `${head} ${fieldsOf(sample)} ${timeOf(sample, record.offset)}\n`;
  return lines;
}

function fieldsOf({ values }: OutgoingSample): string {
  return Object.entries(values)
    .map(([metric, value]) => `${escaped(metric, /[,= ]/g)}=${fieldOf(value)}`)
    .join(',');
}

function fieldOf(value: SampleValue): string {
  return typeof value === 'string' ? `"${value.replaceAll(/["\\]/g, '\\$&')}"` : String(value);
}

/**
 * Samples that have no time of their own may come many in a ms: the last digits are those of the record's offset, so that none replaces
 * another, and the same record gets the same time when it is sent again.
 */
function timeOf({ timeMs, isAssigned }: OutgoingSample, offset: number): string {
  const nanoseconds = isAssigned ? offset % 1_000_000 : 0;
  return timeMs === 0 ? String(nanoseconds) : `${timeMs}${String(nanoseconds).padStart(6, '0')}`;
}

function escaped(text: string, special: RegExp): string {
  return text.replaceAll(special, '\\$&');
}

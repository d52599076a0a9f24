import { literal } from '../columnar/engine.ts';
import { readFiles } from '../columnar/parquet-sql.ts';
import type { ArchiveFile } from './sql-calls.ts';

const HOUR_OF_ROW = 'epoch_ms(time) // 3600000';
const COLUMNS = 'device, metric, time, value, text, flag, device_type';

export interface TelemetryView {
  /** Of day files and memory, as SQL; without the hours that the archive alone answers. */
  readonly stored: string | undefined;
  /** The same of the hours of which both have points. */
  readonly both: string | undefined;
  readonly bothHours: readonly number[];
  readonly files: readonly ArchiveFile[];
  /** A table of the ids that are seen; undefined: all. */
  readonly seen: string | undefined;
}

/** The points of memory, day files and archive, each once: where two have a point, it is not the archive's. */
export function telemetryView(view: TelemetryView): string {
  const parts: string[] = [];
  if (view.stored !== undefined) {
    parts.push(`SELECT device::VARCHAR AS device, metric::VARCHAR AS metric, time, value, text, flag, device_type::VARCHAR AS device_type
      FROM ${view.stored}`);
  }
  if (view.files.length > 0) {
    const archived = archive(view);
    if (view.both === undefined) parts.push(`SELECT ${COLUMNS} FROM (${archived})`);
    else {
      const hours = view.bothHours.join(', ');
      parts.push(`SELECT ${COLUMNS} FROM (${archived}) WHERE ${HOUR_OF_ROW} NOT IN (${hours})`);
      parts.push(`SELECT ${COLUMNS} FROM (SELECT * FROM (${archived}) WHERE ${HOUR_OF_ROW} IN (${hours})) AS archived
        ANTI JOIN (SELECT device::VARCHAR AS device, metric::VARCHAR AS metric, time FROM ${view.both}) AS newer
        USING (device, metric, time)`);
    }
  }
  if (parts.length === 0) return EMPTY;
  return parts.join('\nUNION ALL ');
}

const EMPTY = `SELECT NULL::VARCHAR AS device, NULL::VARCHAR AS metric, NULL::TIMESTAMP AS time, NULL::DOUBLE AS value,
  NULL::VARCHAR AS text, NULL::BOOLEAN AS flag, NULL::VARCHAR AS device_type WHERE false`;

/** Files of one type, without the same devices, are read together. */
function archive({ files, seen }: TelemetryView): string {
  const groups = new Map<string, ArchiveFile[]>();
  for (const file of files) {
    const key = JSON.stringify([file.deviceType, file.hidden]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [file]);
    else group.push(file);
  }
  const parts = [...groups.values()].map((group) => {
    const [{ deviceType, hidden }] = group as [ArchiveFile];
    const type = deviceType === undefined ? 'NULL' : literal(deviceType);
    const terms = [
      ...(hidden.length === 0 ? [] : [`device NOT IN (${hidden.map(literal).join(', ')})`]),
      ...(seen === undefined ? [] : [`device IN (SELECT id FROM ${seen})`]),
    ];
    return `SELECT device, metric, time, value, text, flag, ${type}::VARCHAR AS device_type
      FROM ${readFiles(group.map(({ path }) => path))}${terms.length === 0 ? '' : ` WHERE ${terms.join(' AND ')}`}`;
  });
  return parts.join('\nUNION ALL ');
}

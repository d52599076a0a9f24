import type { ArchivedHour, ArchivedObject } from './archive-index.ts';

type Row = Readonly<Record<string, unknown>>;

/** An object as its row says, without what is hidden in it. */
export function objectOf(row: Row): Omit<ArchivedObject, 'hidden'> {
  return {
    id: Number(row['id']),
    key: String(row['key']),
    deviceType: typeof row['device_type'] === 'string' ? row['device_type'] : undefined,
    day: Number(row['day']),
    hour: row['hour'] === null ? undefined : Number(row['hour']),
    sizeBytes: Number(row['bytes']),
    rows: Number(row['rows']),
    sha256: String(row['sha256']),
    firstMs: Number(row['first_ms']),
    lastMs: Number(row['last_ms']),
    firstDevice: String(row['first_device']),
    lastDevice: String(row['last_device']),
    storedMs: Number(row['stored_ms']),
  };
}

export function hourOf(row: Row): ArchivedHour {
  return {
    day: Number(row['day']),
    hour: Number(row['hour']),
    generation: Number(row['generation']),
    version: Number(row['version']),
  };
}

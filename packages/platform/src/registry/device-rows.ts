import type { Database } from '../database/schema.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { Device } from './device.ts';
import { isObject, type Attributes } from './device-attributes.ts';
import { chunksOf } from './statement-chunks.ts';

/** A device with its number in the postings. */
export interface StoredDevice {
  readonly device: Device;
  readonly number: number;
}

/** Those of the devices that are there, in no order. */
export async function readDevices(
  database: Database,
  by: { readonly ids: readonly string[] } | { readonly numbers: readonly number[] },
): Promise<readonly StoredDevice[]> {
  const found: StoredDevice[] = [];
  for (const keys of 'ids' in by ? chunksOf<string | number>(by.ids) : chunksOf<string | number>(by.numbers)) {
    const query = database
      .selectFrom('device')
      .innerJoin('device_group', 'device_group.id', 'device.group_id')
      .select([
        'device.id',
        'name',
        'type',
        'attributes',
        'device.created_at_ms',
        'updated_at_ms',
        'number',
        'device_group.path',
      ]);
    const rows = await query.where('ids' in by ? 'device.id' : 'device.number', 'in', keys).execute();
    const tags = await tagsOf(database, rows);
    for (const row of rows) found.push({ device: deviceOf(row, tags.get(row.id) ?? []), number: Number(row.number) });
  }
  return found;
}

interface Row {
  readonly id: string;
  readonly name: string | null;
  readonly type: string | null;
  readonly path: string;
  readonly attributes: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

function deviceOf(row: Row, tags: readonly string[]): Device {
  return {
    id: parseDeviceId(row.id),
    ...(row.name !== null && { name: row.name }),
    ...(row.type !== null && { type: row.type }),
    group: row.path,
    attributes: parseAttributes(row.attributes),
    tags,
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
  };
}

/** @throws SelsynError `data.corrupt` */
export function parseAttributes(text: string): Attributes {
  const value: unknown = JSON.parse(text);
  if (isObject(value)) return value;
  throw new SelsynError('data.corrupt', 'the attributes of a device are no JSON object');
}

async function tagsOf(
  database: Database,
  rows: readonly { readonly id: string }[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const tags = new Map<string, string[]>();
  if (rows.length === 0) return tags;
  for (const ids of chunksOf(rows.map(({ id }) => id))) {
    const found = await database
      .selectFrom('device_tag')
      .selectAll()
      .where('device_id', 'in', ids)
      .orderBy('device_id')
      .orderBy('tag')
      .execute();
    for (const { device_id: id, tag } of found) {
      const list = tags.get(id);
      if (list === undefined) tags.set(id, [tag]);
      else list.push(tag);
    }
  }
  return tags;
}

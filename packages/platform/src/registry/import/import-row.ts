import { parseDeviceId, type DeviceId } from '../../kernel/device-id.ts';
import { isSelsynError, SelsynError } from '../../kernel/errors.ts';
import { isObject } from '../device-attributes.ts';
import type { DevicePatch } from '../device.ts';
import type { RefusedRow } from './device-import.ts';

/** A row that can be read: what it says of which device. */
export interface ImportRow {
  readonly row: number;
  readonly id: DeviceId;
  readonly patch: DevicePatch;
  readonly token?: string | undefined;
}

/** What a row holds before anything of it is checked. */
export type RawRow = Readonly<Record<string, unknown>>;

/** Exports and lists of devices have these; they say nothing that an import could set. */
const IGNORED: ReadonlySet<string> = new Set(['createdAtMs', 'updatedAtMs', 'latest']);
const KNOWN: ReadonlySet<string> = new Set(['id', 'name', 'type', 'group', 'tags', 'attributes', 'token']);
/** A token is kept as a plain hash, which is sound only for what nobody can guess. */
const TOKEN = /^[\x21-\x7e]{20,256}$/;
const MAX_SHOWN = 128;

/** The row with its fields as they must be; of their values the store is the judge. */
export function readRawRow(row: number, raw: RawRow): ImportRow | RefusedRow {
  try {
    for (const name of Object.keys(raw)) {
      if (!KNOWN.has(name) && !IGNORED.has(name))
        throw invalid(name.slice(0, MAX_SHOWN), `there is no field "${name.slice(0, MAX_SHOWN)}"`);
    }
    const { id, name, type, group, tags, attributes, token } = raw;
    if (typeof id !== 'string' || id === '') throw invalid('id', 'the row has no id');
    if (group !== undefined && typeof group !== 'string') throw invalid('group', 'the group is no text');
    if (token !== undefined && (typeof token !== 'string' || !TOKEN.test(token))) {
      throw invalid('token', 'a token has 20 to 256 printable characters, without spaces');
    }
    return {
      row,
      id: parseDeviceId(id),
      patch: {
        name: textOrNull('name', name),
        type: textOrNull('type', type),
        group,
        tags: tagsOf(tags),
        attributes: attributesOf(attributes),
      },
      token,
    };
  } catch (error) {
    return refusedRow(row, raw['id'], error);
  }
}

/** What is told of a row. @throws what is no fault of the row */
export function refusedRow(row: number, id: unknown, error: unknown): RefusedRow {
  if (!isSelsynError(error) || error.code === 'internal') throw error;
  const { field } = error.details;
  return {
    row,
    ...(typeof id === 'string' && id !== '' && { deviceId: id.slice(0, MAX_SHOWN) }),
    ...(error.code === 'device.invalid-id' ? { field: 'id' } : typeof field === 'string' && { field }),
    code: error.code,
    reason: error.message.slice(0, 500),
  };
}

export function isRefused(row: ImportRow | RefusedRow): row is RefusedRow {
  return 'code' in row;
}

function textOrNull(field: string, value: unknown): string | null | undefined {
  if (value === undefined || value === null || typeof value === 'string') return value;
  throw invalid(field, `the ${field} is no text`);
}

function tagsOf(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((tag) => typeof tag === 'string')) return value;
  throw invalid('tags', 'the tags are no list of texts');
}

function attributesOf(value: unknown): DevicePatch['attributes'] {
  if (value === undefined) return undefined;
  if (isObject(value)) return value;
  throw invalid('attributes', 'the attributes are no JSON object');
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}

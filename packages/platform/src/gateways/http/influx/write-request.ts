import { SelsynError } from '../../../kernel/errors.ts';
import { isDeviceId } from '../../../kernel/device-id.ts';
import type { Dialect } from './influx-answers.ts';
import type { Precision } from './line-time.ts';
import { DEVICE_TAGS, type LineMapping } from './series-names.ts';

export interface WriteRequest {
  readonly precision: Precision;
  readonly mapping: LineMapping;
  /** The same for the same mapping. */
  readonly mappingKey: string;
}

const PRECISIONS: Readonly<Record<Dialect, ReadonlyMap<string, Precision>>> = {
  v1: new Map<string, Precision>([
    ['n', 'ns'], ['ns', 'ns'], ['u', 'us'], ['µ', 'us'], ['us', 'us'], ['ms', 'ms'], ['s', 's'], ['m', 'm'], ['h', 'h'],
  ]), // prettier-ignore
  v2: new Map<string, Precision>([['ns', 'ns'], ['us', 'us'], ['ms', 'ms'], ['s', 's']]), // prettier-ignore
};
const MAX_TAGS = 64;
const MAX_TAG_LENGTH = 256;

/** What the query of a write says. @throws SelsynError `request.invalid` */
export function writeRequestOf(query: Readonly<Record<string, unknown>>, dialect: Dialect): WriteRequest {
  if (dialect === 'v1' && one(query, 'db') === undefined) throw invalid('db', 'database is required');
  const unit = one(query, 'precision') ?? 'ns';
  const precision = PRECISIONS[dialect].get(unit);
  if (precision === undefined) {
    const units = [...PRECISIONS[dialect].keys()].join(', ');
    throw invalid('precision', `invalid precision; valid precision units are ${units}`);
  }
  const device = one(query, 'device');
  if (device !== undefined && !isDeviceId(device)) throw invalid('device', 'the parameter "device" is no device id');
  const deviceTags = names(query, 'device_tag');
  const droppedTags = names(query, 'drop_tag');
  const mapping = {
    deviceTags: deviceTags.length === 0 ? DEVICE_TAGS : deviceTags,
    device,
    droppedTags: new Set(droppedTags),
  };
  return { precision, mapping, mappingKey: JSON.stringify([deviceTags, device, droppedTags]) };
}

/** The value of a parameter; undefined where it is absent or empty. @throws SelsynError where it comes twice */
function one(query: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = query[name];
  if (Array.isArray(value)) throw invalid(name, `the parameter "${name}" comes more than once`);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Names with commas between, or of a parameter that comes several times. */
function names(query: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const values: readonly unknown[] = [query[name]].flat();
  const found = values.flatMap((value) => (typeof value === 'string' ? value.split(',') : [])).filter((text) => text !== '');
  if (found.length > MAX_TAGS || found.some((text) => text.length > MAX_TAG_LENGTH))
    throw invalid(name, `too many tags in "${name}"`);
  return found;
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}

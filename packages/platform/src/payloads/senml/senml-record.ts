import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { quoted } from '@selsyn/wire/payload/sample-checks.ts';
import { fieldsOf, kindOf } from '../document-samples.ts';

/** A record as it was sent: RFC 8428, section 4. */
export interface SenmlRecord {
  readonly bn?: string;
  readonly bt?: number;
  readonly bu?: string;
  readonly bv?: number;
  readonly bs?: number;
  readonly bver?: number;
  readonly n?: string;
  readonly u?: string;
  readonly t?: number;
  readonly ut?: number;
  readonly v?: number;
  readonly vs?: string;
  readonly vb?: boolean;
  /** Base64url without padding, also where CBOR had the bytes themselves. */
  readonly vd?: string;
  readonly s?: number;
}

type Kind = 'text' | 'number' | 'boolean' | 'data';

/** RFC 8428, table 4: the labels of the fields in CBOR. */
const LABELS: ReadonlyMap<string, keyof SenmlRecord> = new Map([
  ['-6', 'bs'], ['-5', 'bv'], ['-4', 'bu'], ['-3', 'bt'], ['-2', 'bn'], ['-1', 'bver'], ['0', 'n'], ['1', 'u'], ['2', 'v'],
  ['3', 'vs'], ['4', 'vb'], ['5', 's'], ['6', 't'], ['7', 'ut'], ['8', 'vd'],
]); // prettier-ignore

const KINDS: Readonly<Record<keyof SenmlRecord, Kind>> = {
  bn: 'text', bt: 'number', bu: 'text', bv: 'number', bs: 'number', bver: 'number', n: 'text', u: 'text', t: 'number',
  ut: 'number', v: 'number', vs: 'text', vb: 'boolean', vd: 'data', s: 'number',
}; // prettier-ignore

const BASE64URL = /^[A-Za-z0-9_-]*$/;

/** @throws PayloadError where a field has a value of another kind, or must be understood and is not known (section 4.4) */
export function senmlRecord(item: unknown, cbor: boolean, where: string): SenmlRecord {
  const fields = fieldsOf(item);
  if (fields === undefined) throw new PayloadError('malformed', `A SenML record must be an object, not ${kindOf(item)}${where}.`);
  const record: Record<string, unknown> = {};
  for (const [key, value] of fields) {
    const name = cbor ? (LABELS.get(key) ?? key) : key;
    if (!isField(name)) {
      // [RFC 8428, section 4.4]: a field that ends in "_" must be understood; others are ignored.
      if (name.endsWith('_')) throw new PayloadError('malformed', `The SenML field ${quoted(name)} is not understood${where}.`);
      continue;
    }
    if (Object.hasOwn(record, name)) throw new PayloadError('malformed', `The SenML field "${name}" stands there twice${where}.`);
    record[name] = fieldValue(name, KINDS[name], value, cbor, where);
  }
  return record;
}

function isField(name: string): name is keyof SenmlRecord {
  return Object.hasOwn(KINDS, name);
}

function fieldValue(name: string, kind: Kind, value: unknown, cbor: boolean, where: string): unknown {
  if (kind === 'number' && typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw new PayloadError('malformed', `The SenML field "${name}" is no finite number${where}.`);
  }
  if (kind === 'text' && typeof value === 'string') return value;
  if (kind === 'boolean' && typeof value === 'boolean') return value;
  if (kind === 'data') {
    if (cbor && value instanceof Uint8Array) return Buffer.from(value).toString('base64url');
    if (!cbor && typeof value === 'string' && BASE64URL.test(value)) return value;
  }
  const wanted = kind === 'data' ? (cbor ? 'a string of bytes' : 'base64url without padding') : `a ${kind}`;
  throw new PayloadError('malformed', `The SenML field "${name}" must be ${wanted}, not ${kindOf(value)}${where}.`);
}

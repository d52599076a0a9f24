import type { Shadow, ShadowOrigin } from '../api/shadows.ts';
import { isJson, type Json } from '../api/json.ts';
import { leavesOf, pathText, valueAt, type JsonPath } from '../format/json-paths.ts';

export interface StampedValue {
  readonly value: unknown;
  readonly atMs: number | undefined;
  /** Of the shadow when it was written: another one means that it was written again. */
  readonly version: number | undefined;
}

export interface DesiredValue extends StampedValue {
  readonly isInherited: boolean;
  /** `group:/acme` where that is what it comes from, or what it lies over. */
  readonly from: string | undefined;
  /** What would be inherited; undefined: nothing else. */
  readonly over: unknown;
}

/** One field of a shadow, as far as each side has it. */
export interface ShadowRow {
  readonly path: JsonPath;
  readonly label: string;
  readonly desired: DesiredValue | undefined;
  readonly reported: StampedValue | undefined;
  /** It is desired, and not reported so. */
  readonly differs: boolean;
  /** The device has reported something there, if only an object in the place of a value, or a value in the place of an object. */
  readonly isReported: boolean;
}

/** The fields of a shadow by name, each with what is desired of it, by whom, and what is reported. */
export function shadowRows(shadow: Shadow, layers: ShadowOrigin['layers']): readonly ShadowRow[] {
  const rows = new Map<string, ShadowRow>();
  for (const section of [shadow.effective, shadow.reported]) {
    for (const [path] of leavesOf(section)) {
      const label = pathText(path);
      if (!rows.has(label)) rows.set(label, rowOf(shadow, layers, path, label));
    }
  }
  return [...rows.values()].sort((a, b) => ORDER.compare(a.label, b.label));
}

const ORDER = new Intl.Collator('en', { numeric: true });

function rowOf(shadow: Shadow, layers: ShadowOrigin['layers'], path: JsonPath, label: string): ShadowRow {
  const reported = leafAt(shadow.reported, path);
  return {
    path,
    label,
    desired: desiredAt(shadow, layers, path),
    reported: reported === undefined ? undefined : { value: reported, ...stampAt(shadow.metadata.reported, path) },
    differs: leafAt(shadow.delta, path) !== undefined,
    isReported: isReportedAt(shadow.reported, path),
  };
}

function isReportedAt(reported: Json, path: JsonPath): boolean {
  if (valueAt(reported, path) !== undefined) return true;
  return path.slice(1).some((_, index) => {
    const above = valueAt(reported, path.slice(0, index + 1));
    return above !== undefined && !isJson(above);
  });
}

function desiredAt(shadow: Shadow, layers: ShadowOrigin['layers'], path: JsonPath): DesiredValue | undefined {
  const value = leafAt(shadow.effective, path);
  if (value === undefined) return undefined;
  const isInherited = leafAt(shadow.desired, path) === undefined;
  const inherited = leafAt(shadow.inherited, path);
  return {
    value,
    isInherited,
    from: layers.findLast(({ desired }) => valueAt(desired, path) !== undefined)?.target,
    over: isInherited ? undefined : inherited,
    ...stampAt(isInherited ? shadow.metadata.inherited : shadow.metadata.desired, path),
  };
}

function leafAt(section: Json, path: JsonPath): unknown {
  const value = valueAt(section, path);
  return isJson(value) && Object.keys(value).length > 0 ? undefined : value;
}

function stampAt(stamps: Json, path: JsonPath): { readonly atMs: number | undefined; readonly version: number | undefined } {
  const stamp = valueAt(stamps, path);
  if (!isJson(stamp)) return { atMs: undefined, version: undefined };
  const { atMs, version } = stamp;
  return {
    atMs: typeof atMs === 'number' ? atMs : undefined,
    version: typeof version === 'number' ? version : undefined,
  };
}

import { printable } from './printable.ts';
import { formatAge } from './table.ts';

export interface ShadowItem {
  readonly name?: string;
  readonly version: number;
  readonly desired: object;
  readonly inherited?: object;
  readonly effective: object;
  readonly reported: object;
  readonly delta?: object;
  readonly updatedAtMs: number;
}

export interface HistoryItem {
  readonly version: number;
  readonly atMs: number;
  readonly by: string;
  readonly change: 'updated' | 'deleted';
  readonly desired?: unknown;
  readonly reported?: unknown;
  readonly inherited?: unknown;
}

/** An event of the live feed. */
export interface ShadowChange {
  readonly device: string;
  readonly shadow?: string;
  readonly version: number;
  readonly change: 'updated' | 'deleted';
  readonly documents?: { readonly previous?: { readonly state?: unknown }; readonly current?: { readonly state?: unknown } };
}

export function shadowLines(device: string, shadow: ShadowItem, nowMs: number): string {
  const { version, desired, inherited, effective, reported, delta, updatedAtMs } = shadow;
  const sections: readonly (readonly [string, object | undefined])[] = [
    ['desired', desired],
    ['inherited', inherited],
    ...(inherited === undefined ? [] : ([['effective', effective]] as const)),
    ['reported', reported],
    ['delta', delta],
  ];
  return [
    `${printable(device)} ${nameOf(shadow.name)}, version ${version}, changed ${formatAge(nowMs - updatedAtMs)} ago`,
    ...sections.flatMap(([title, state]) => (state === undefined ? [] : ['', title, jsonLines(state)])),
    ...(delta === undefined ? ['', 'the device is as it is to be'] : []),
  ].join('\n');
}

/** A line for each value that a change has changed. */
export function changeLines({ device, shadow, version, change, documents }: ShadowChange): readonly string[] {
  const head = `${printable(device)} ${nameOf(shadow)} ${version}`;
  if (change === 'deleted') return [`${head}  removed`];
  const lines = differences('', documents?.previous?.state, documents?.current?.state);
  return lines.length === 0 ? [`${head}  the same again`] : lines.map((line) => `${head}  ${line}`);
}

export function historyRow(
  { version, atMs, by, change, desired, reported, inherited }: HistoryItem,
  nowMs: number,
): readonly string[] {
  const written = Object.entries({ desired, reported, inherited }).flatMap(([section, value]) =>
    value === undefined ? [] : [`${section} ${jsonText(value)}`],
  );
  return [
    String(version),
    `${formatAge(nowMs - atMs)} ago`,
    printable(by),
    change === 'deleted' ? 'removed' : written.join('  '),
  ];
}

export function nameOf(shadow: string | undefined): string {
  return shadow === undefined || shadow === '' ? '(classic)' : printable(shadow);
}

function differences(path: string, before: unknown, after: unknown): readonly string[] {
  if (isObject(before) && isObject(after)) return inner(path, before, after);
  if (before === undefined && isObject(after)) return inner(path, {}, after);
  if (isObject(before) && after === undefined) return inner(path, before, {});
  if (jsonText(before) === jsonText(after)) return [];
  return [
    `${printable(path)}  ${before === undefined ? '-' : jsonText(before)} → ${after === undefined ? '-' : jsonText(after)}`,
  ];
}

function inner(
  path: string,
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => differences(path === '' ? name : `${path}.${name}`, own(before, name), own(after, name)));
}

function own(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a device says may hold anything: what could move the cursor is escaped. */
function jsonText(value: unknown): string {
  return printable(JSON.stringify(value) ?? 'undefined');
}

function jsonLines(value: unknown): string {
  return JSON.stringify(value, undefined, 2)
    .split('\n')
    .map((line) => `  ${printable(line)}`)
    .join('\n');
}

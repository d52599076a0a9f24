import type { DeviceTypes } from '../archive/device-types.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { Device } from '../registry/device.ts';
import type { DeviceFilter, DeviceStore } from '../registry/device-store.ts';
import { parseGroupPath } from '../registry/group-path.ts';
import { isEverything, scopeIncludes, type Scope } from '../registry/scope.ts';
import type { DeviceRow, SqlPlan } from './sql-calls.ts';

/** Devices of a page of the registry; so many rows go to the process at a time. */
const PAGE = 1_000;

export interface RegistryDevices {
  readonly devices: Pick<DeviceStore, 'findMany' | 'list'>;
  /** Of a million devices: their ids and types alone. */
  readonly types: Pick<DeviceTypes, 'all'>;
}

/** The rows of `devices` that a query may need, page by page: those of the scope. */
export async function* deviceRows(
  { devices }: RegistryDevices,
  plan: SqlPlan,
  scope: Scope,
): AsyncGenerator<readonly DeviceRow[]> {
  if (plan.devices === undefined) return;
  const { ids, group } = plan.devices;
  if (group !== undefined && !isGroupPath(group)) return;
  const pages = ids === undefined ? listed(devices, { scope, group }) : found(devices, ids, scope);
  for await (const page of pages) yield page.map(rowOf);
}

/**
 * What of the registry decides which series a query sees, and of what type they are: ids with types, page by page. With
 * a scope that is not everything they are all that may be seen.
 */
export async function* seenDevices(
  registry: RegistryDevices,
  plan: SqlPlan,
  scope: Scope,
): AsyncGenerator<readonly (readonly [id: string, type: string | null])[]> {
  const parts = [...plan.telemetry, ...plan.hours, ...plan.days];
  if (parts.length === 0 || (isEverything(scope) && !plan.needsTypes)) return;
  const named = parts.every(({ devices }) => devices !== undefined)
    ? [...new Set(parts.flatMap(({ devices }) => [...devices!]))]
    : undefined;
  if (named === undefined && isEverything(scope)) {
    for await (const { type, devices } of registry.types.all()) yield devices.map((id) => [id, type] as const);
    return;
  }
  const pages = named === undefined ? listed(registry.devices, { scope }) : found(registry.devices, named, scope);
  for await (const page of pages) yield page.map(({ id, type }) => [id, type ?? null] as const);
}

async function* listed(registry: RegistryDevices['devices'], filter: DeviceFilter): AsyncGenerator<readonly Device[]> {
  let cursor: string | undefined;
  do {
    const page = await registry.list({ ...filter, limit: PAGE, cursor });
    yield page.items;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

async function* found(
  registry: RegistryDevices['devices'],
  ids: readonly string[],
  scope: Scope,
): AsyncGenerator<readonly Device[]> {
  for (let at = 0; at < ids.length; at += PAGE) {
    // What is no id is not found.
    const some = await registry.findMany(ids.slice(at, at + PAGE) as DeviceId[]);
    yield [...some.values()].filter(({ group }) => scopeIncludes(scope, group));
  }
}

function rowOf({ id, name, type, group, tags, attributes, createdAtMs, updatedAtMs }: Device): DeviceRow {
  return {
    id,
    name: name ?? null,
    type: type ?? null,
    group,
    tags,
    attributes: JSON.stringify(attributes),
    createdAtMs,
    updatedAtMs,
  };
}

/** What is no path is that of no group. */
function isGroupPath(text: string): boolean {
  try {
    parseGroupPath(text);
    return true;
  } catch (error) {
    if (isSelsynError(error, 'request.invalid')) return false;
    throw error;
  }
}

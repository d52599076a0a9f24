import { stringify } from 'csv-stringify/sync';
import type { Database } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Device } from '../device.ts';
import type { AttributeValue } from '../device-attributes.ts';
import { isObject } from '../device-attributes.ts';
import type { DeviceFilter } from '../device-search.ts';
import { DeviceStore } from '../device-store.ts';
import { writeCell, writeTextCell } from '../import/cell.ts';
import type { ImportFormat } from '../import/device-import.ts';
import { attributePathsOf } from './export-columns.ts';

/** A page takes some ms of the thread; others come in between. */
const DEVICES_A_PAGE = 250;

/**
 * The devices that match, as text that an import takes: a piece for each page, so that neither side holds more than that.
 *
 * Devices that come or change meanwhile may be in it or not; each that stays is in it once. Tokens are in no export: only
 * their hashes are kept.
 *
 * @throws SelsynError `request.invalid` for a filter that is none, before anything is given.
 */
export async function exportDevices(
  dependencies: { readonly database: Database; readonly clock: Clock },
  format: ImportFormat,
  query: DeviceFilter,
): Promise<AsyncGenerator<string>> {
  const store = new DeviceStore(dependencies);
  const first = await store.list({ ...query, limit: DEVICES_A_PAGE });
  const paths = format === 'csv' ? await attributePathsOf(dependencies, query) : [];
  const rows = new CsvRows(paths);
  return (async function* () {
    let page = first;
    if (format === 'csv') yield rows.header();
    for (;;) {
      if (page.items.length > 0) yield format === 'csv' ? rows.of(page.items) : linesOf(page.items);
      if (page.cursor === undefined) return;
      await new Promise((resolve) => setImmediate(resolve));
      page = await store.list({ ...query, limit: DEVICES_A_PAGE, cursor: page.cursor });
    }
  })();
}

function linesOf(devices: readonly Device[]): string {
  return devices
    .map(({ id, name, type, group, tags, attributes }) => `${JSON.stringify({ id, name, type, group, tags, attributes })}\n`)
    .join('');
}

/**
 * id, name, type, group, tags, a column for each attribute that has a value in one of the devices, and in `attributes` as
 * JSON what stands in none of those: fields without a value, lists of objects.
 */
class CsvRows {
  readonly #paths: readonly string[];

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  header(): string {
    return stringify([['id', 'name', 'type', 'group', 'tags', ...this.#paths.map((path) => `attributes.${path}`), 'attributes']]);
  }

  of(devices: readonly Device[]): string {
    const known = new Set(this.#paths);
    return stringify(
      devices.map(({ id, name, type, group, tags, attributes }) => {
        const cells = new Map<string, string>();
        const rest = takeLeaves(attributes, '', known, cells);
        return [
          id,
          name === undefined ? '' : writeTextCell(name),
          type ?? '',
          group,
          tags.join(' '),
          ...this.#paths.map((path) => cells.get(path) ?? ''),
          rest === undefined ? '' : JSON.stringify(rest),
        ];
      }),
    );
  }
}

/** Puts the values that have a column into its cells. @returns what is left of the object; undefined: nothing */
function takeLeaves(
  value: Readonly<Record<string, AttributeValue>>,
  prefix: string,
  known: ReadonlySet<string>,
  cells: Map<string, string>,
): AttributeValue | undefined {
  const rest: [string, AttributeValue][] = [];
  for (const [name, item] of Object.entries(value)) {
    const path = prefix + name;
    if (isObject(item) && Object.keys(item).length > 0) {
      const left = takeLeaves(item, `${path}.`, known, cells);
      if (left !== undefined) rest.push([name, left]);
    } else if (known.has(path) && item !== null) cells.set(path, writeCell(item));
    else rest.push([name, item]);
  }
  return rest.length === 0 ? undefined : Object.fromEntries(rest);
}

import { rowsOfEach } from '../database/rows-of-each.ts';
import type { StateDatabase } from '../database/schema.ts';
import type { ShadowDocument } from './shadow-document.ts';
import { decodeDocument, DOCUMENT_COLUMNS, keyOf, pathsOf } from './shadow-row.ts';

/** A shadow and what it is called: '' is the classic one. */
export interface NamedShadow {
  readonly shadow: string;
  readonly document: ShadowDocument;
}

/** The first shadows by name, the classic one before all, of each of many devices: a statement for a hundred of them. */
export async function shadowsOfEach(
  database: StateDatabase,
  devices: readonly string[],
  limit: number,
): Promise<ReadonlyMap<string, readonly NamedShadow[]>> {
  const rows = await rowsOfEach(database, devices, (device) => {
    const { first, end } = pathsOf(device);
    return database
      .selectFrom('shadow')
      .select(DOCUMENT_COLUMNS)
      .where('path', '>=', first)
      .where('path', '<', end)
      .where('deleted_at_ms', 'is', null)
      .orderBy('path')
      .limit(limit);
  });
  const found = new Map<string, NamedShadow[]>(devices.map((device) => [device, []]));
  for (const row of [...rows].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const { device, shadow } = keyOf(row.path);
    const document = decodeDocument(row);
    if (document !== undefined) found.get(device)?.push({ shadow, document });
  }
  return found;
}

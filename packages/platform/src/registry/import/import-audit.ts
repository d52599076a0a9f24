import type { AuditChange } from '../../audit/audit-trail.ts';
import { lineageOf, parentOf, ROOT_GROUP } from '../group-path.ts';

/** Longer texts would be cut by the trail, and it would not say what is missing. */
const MAX_TEXT = 48 * 1024;

/** Entries of a batch: where its devices stand in more groups than this, those above take theirs. */
const MAX_GROUPS = 16;

/**
 * What a batch of an import changed, as one entry for each group instead of one for each device: a million rows leave
 * some thousand entries, and nobody sees devices of a group that is not theirs. Where there are many groups in a batch, it
 * is fewer of those above: then it takes the right to see these to see the entry.
 *
 * `after.created` are ids: what such a device was like is in the file and in the device. `before` and `after.updated` hold,
 * by id, the fields that changed.
 */
export function importEntries(importId: string, changes: readonly AuditChange[]): readonly AuditChange[] {
  const places = new Map(changes.map(({ group }) => [group, group]));
  while (new Set(places.values()).size > MAX_GROUPS) raise(places);
  const byPlace = new Map<string, AuditChange[]>();
  for (const change of changes) {
    const place = places.get(change.group) ?? change.group;
    const list = byPlace.get(place);
    if (list === undefined) byPlace.set(place, [change]);
    else list.push(change);
  }
  return [...byPlace].flatMap(([place, list]) => entriesOf(importId, place, list));
}

/** The deepest of the places give way to those above them. */
function raise(places: Map<string, string>): void {
  const deepest = Math.max(...[...places.values()].map((place) => lineageOf(place).length));
  for (const [group, place] of places) {
    if (lineageOf(place).length === deepest) places.set(group, parentOf(place) ?? ROOT_GROUP);
  }
}

function entriesOf(importId: string, group: string, changes: readonly AuditChange[]): readonly AuditChange[] {
  const entries: AuditChange[] = [];
  let part: AuditChange[] = [];
  let size = 0;
  for (const change of changes) {
    const added = sizeOf(change);
    if (part.length > 0 && size + added > MAX_TEXT) {
      entries.push(entryOf(importId, group, part));
      part = [];
      size = 0;
    }
    part.push(change);
    size += added;
  }
  if (part.length > 0) entries.push(entryOf(importId, group, part));
  return entries;
}

function entryOf(importId: string, group: string, changes: readonly AuditChange[]): AuditChange {
  const [first] = changes as readonly [AuditChange, ...AuditChange[]];
  const created = changes.filter(({ action }) => action === 'device.create').map(({ object }) => object.id);
  const updated = changes.filter(({ action }) => action !== 'device.create');
  return {
    actor: first.actor,
    action: 'device.import',
    object: { kind: 'import', id: importId },
    group,
    ...(updated.length > 0 && { before: byId(updated, ({ before }) => before) }),
    after: {
      ...(created.length > 0 && { created }),
      ...(updated.length > 0 && { updated: byId(updated, ({ after }) => after) }),
    },
  };
}

function byId(changes: readonly AuditChange[], value: (change: AuditChange) => unknown): Record<string, unknown> {
  return Object.fromEntries(changes.map((change) => [change.object.id, value(change)]));
}

function sizeOf({ action, object, before, after }: AuditChange): number {
  const id = object.id.length + 8;
  return action === 'device.create' ? id : id * 2 + JSON.stringify([before, after]).length;
}

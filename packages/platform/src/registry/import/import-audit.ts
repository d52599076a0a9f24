import type { AuditChange } from '../../audit/audit-trail.ts';

/** Longer texts would be cut by the trail, and it would not say what is missing. */
const MAX_TEXT = 48 * 1024;

/**
 * What a batch of an import changed, as one entry for each group instead of one for each device: a million rows leave
 * some thousand entries, and nobody sees devices of a group that is not theirs.
 *
 * `after.created` are ids: what such a device was like is in the file and in the device. `before` and `after.updated` hold,
 * by id, the fields that changed.
 */
export function importEntries(importId: string, changes: readonly AuditChange[]): readonly AuditChange[] {
  const byGroup = new Map<string, AuditChange[]>();
  const others: AuditChange[] = [];
  for (const change of changes) {
    if (change.object.kind !== 'device') {
      others.push(change);
      continue;
    }
    const list = byGroup.get(change.group);
    if (list === undefined) byGroup.set(change.group, [change]);
    else list.push(change);
  }
  return [...others, ...[...byGroup.values()].flatMap((list) => entriesOf(importId, list))];
}

function entriesOf(importId: string, changes: readonly AuditChange[]): readonly AuditChange[] {
  const entries: AuditChange[] = [];
  let part: AuditChange[] = [];
  let size = 0;
  for (const change of changes) {
    const added = sizeOf(change);
    if (part.length > 0 && size + added > MAX_TEXT) {
      entries.push(entryOf(importId, part));
      part = [];
      size = 0;
    }
    part.push(change);
    size += added;
  }
  if (part.length > 0) entries.push(entryOf(importId, part));
  return entries;
}

function entryOf(importId: string, changes: readonly AuditChange[]): AuditChange {
  const [first] = changes as readonly [AuditChange, ...AuditChange[]];
  const created = changes.filter(({ action }) => action === 'device.create').map(({ object }) => object.id);
  const updated = changes.filter(({ action }) => action !== 'device.create');
  return {
    actor: first.actor,
    action: 'device.import',
    object: { kind: 'import', id: importId },
    group: first.group,
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

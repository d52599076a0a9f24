import type { DeviceId } from '../kernel/device-id.ts';
import { isSelsynError, type SelsynError } from '../kernel/errors.ts';
import { checkDraft, type Device, type DeviceDraft } from './device.ts';
import { patched } from './device-patch.ts';
import { readDevices, type StoredDevice } from './device-rows.ts';
import { deviceOfDraft, insertDevices, TypeCheck, updateDevices, type WriteContext } from './device-writing.ts';

export type PutMode = 'create' | 'upsert';

/** What became of one draft. */
export type PutOutcome =
  | { readonly id: DeviceId; readonly outcome: 'created' | 'updated' | 'unchanged' | 'exists' }
  | { readonly id: DeviceId; readonly outcome: 'refused'; readonly error: SelsynError };

/** Writes many devices at once; see DeviceStore.put. */
export async function putDevices(
  context: WriteContext,
  drafts: readonly DeviceDraft[],
  mode: PutMode,
): Promise<readonly PutOutcome[]> {
  const outcomes: PutOutcome[] = Array.from(drafts, ({ id }) => ({ id, outcome: 'exists' }));
  // An id that comes again waits for the next round, in which it is there.
  let waiting = drafts.map((draft, index) => ({ draft, index }));
  while (waiting.length > 0) {
    const round = new Map<DeviceId, { readonly draft: DeviceDraft; readonly index: number }>();
    const next: typeof waiting = [];
    for (const each of waiting) {
      if (round.has(each.draft.id)) next.push(each);
      else round.set(each.draft.id, each);
    }
    const written = await putRound(context, [...round.values()], mode);
    for (const [index, outcome] of written) outcomes[index] = outcome;
    waiting = mode === 'create' ? [] : next;
  }
  return outcomes;
}

async function putRound(
  context: WriteContext,
  round: readonly { readonly draft: DeviceDraft; readonly index: number }[],
  mode: PutMode,
): Promise<ReadonlyMap<number, PutOutcome>> {
  const nowMs = context.clock.now();
  const ids = round.map(({ draft }) => draft.id);
  const known = new Map((await readDevices(context.transaction, { ids })).map((stored) => [stored.device.id, stored]));
  const types = await TypeCheck.of(context, [
    ...round.map(({ draft }) => draft.type),
    ...[...known.values()].map(({ device }) => device.type),
  ]);
  const outcomes = new Map<number, PutOutcome>();
  const created: Device[] = [];
  const updated: { before: StoredDevice; after: Device }[] = [];
  for (const { draft, index } of round) {
    const { id } = draft;
    const before = known.get(id);
    try {
      checkDraft(draft);
      if (before === undefined) {
        const device = deviceOfDraft(draft, nowMs);
        types.check(device);
        created.push(device);
        outcomes.set(index, { id, outcome: 'created' });
      } else if (mode === 'create') outcomes.set(index, { id, outcome: 'exists' });
      else {
        const { attributes, ...patch } = draft;
        const base = attributes === undefined ? before.device : { ...before.device, attributes };
        const after = patched(base, patch, nowMs);
        const isNew =
          after !== base || JSON.stringify(attributes ?? before.device.attributes) !== JSON.stringify(before.device.attributes);
        types.check(after);
        if (isNew) updated.push({ before, after: { ...after, updatedAtMs: nowMs } });
        outcomes.set(index, { id, outcome: isNew ? 'updated' : 'unchanged' });
      }
    } catch (error) {
      if (!isSelsynError(error, 'request.invalid')) throw error;
      outcomes.set(index, { id, outcome: 'refused', error });
    }
  }
  await insertDevices(context, created);
  await updateDevices(context, updated);
  return outcomes;
}

import type { Batch } from '../state/batch.ts';
import { deleteAcceptedText, deltaMessageText, documentsText, stateText, updateAcceptedText } from './shadow-answers.ts';
import { deltaOf } from './shadow-delta.ts';
import type { JsonObject, ShadowKey, ShadowPatch } from './shadow-document.ts';
import { shadowPrefix } from './shadow-topics.ts';
import { metadataOf, type ShownSection, type ShownShadow } from './shown-shadow.ts';

/** One update that was accepted. */
export interface AcceptedUpdate {
  readonly key: ShadowKey;
  readonly before: ShownShadow | undefined;
  readonly after: ShownShadow;
  readonly written: ShadowPatch;
  readonly clientToken: string | undefined;
  /** A client waits for the answer by MQTT. */
  readonly asked: boolean;
}

/**
 * Publishes what follows from an update: the delta first, so that a device that acts on `accepted` does not then see an older delta.
 *
 * @returns what went to `update/accepted`.
 */
export function publishUpdate(update: AcceptedUpdate, batch: Batch): string {
  const { key, before, after, written, clientToken, asked } = update;
  const { nowMs } = batch;
  const { version } = after;
  const prefix = shadowPrefix(key);
  publishDelta(key, version, after.desired, after.reported?.value, batch, { clientToken, prefix });
  const accepted = updateAcceptedText(written, version, nowMs, clientToken);
  // What only groups and types made of it has no request to be the answer to.
  if (asked || written.desired !== undefined || written.reported !== undefined) {
    publish(batch, key, `${prefix}/update/accepted`, accepted);
  }
  const metadata = metadataOf(after);
  const previous = before && stateText(before, metadataOf(before, { shown: after, metadata }));
  const documents = documentsText(previous, stateText(after, metadata), nowMs, clientToken);
  publish(batch, key, `${prefix}/update/documents`, documents);
  if (batch.isWatched(key.device)) batch.tell({ kind: 'shadow', ...plain(key), version, change: 'updated', documents });
  return accepted;
}

/** @returns what went to `delete/accepted`. */
export function publishDeletion(key: ShadowKey, version: number, clientToken: string | undefined, batch: Batch): string {
  const accepted = deleteAcceptedText(version, batch.nowMs, clientToken);
  publish(batch, key, `${shadowPrefix(key)}/delete/accepted`, accepted);
  if (batch.isWatched(key.device)) {
    batch.tell({ kind: 'shadow', ...plain(key), version, change: 'deleted', documents: undefined });
  }
  return accepted;
}

/** @returns false where there is no difference, and no message. */
export function publishDelta(
  key: ShadowKey,
  version: number,
  desired: ShownSection | undefined,
  reported: JsonObject | undefined,
  batch: Batch,
  options: { readonly clientToken?: string | undefined; readonly prefix?: string } = {},
): boolean {
  const delta = deltaOf(desired?.value, reported);
  if (desired === undefined || delta === undefined) return false;
  const message = deltaMessageText(delta, desired.stamps, version, batch.nowMs, options.clientToken);
  publish(batch, key, `${options.prefix ?? shadowPrefix(key)}/update/delta`, message);
  return true;
}

export function publish(batch: Batch, { device }: ShadowKey, topic: string, text: string): void {
  batch.publish({ device, topic, payload: Buffer.from(text) });
}

function plain({ device, shadow }: ShadowKey): ShadowKey {
  return { device, shadow };
}

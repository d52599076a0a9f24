import type { Batch } from '../state/batch.ts';
import type { ClientLink } from '../state/client-link.ts';
import {
  deleteAcceptedText,
  deltaMessageText,
  deltaText,
  documentsText,
  stateText,
  updateAcceptedText,
} from './shadow-answers.ts';
import { deltaOf } from './shadow-delta.ts';
import type { ShadowKey, ShadowPatch } from './shadow-document.ts';
import type { DocumentTexts } from './shadow-texts.ts';
import { shadowPrefix } from './shadow-topics.ts';

/** One update that was accepted. */
export interface AcceptedUpdate {
  readonly key: ShadowKey;
  readonly version: number;
  readonly texts: DocumentTexts;
  readonly before: { readonly version: number; readonly texts: DocumentTexts } | undefined;
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
export function publishUpdate(
  { key, version, texts, before, written, clientToken, asked }: AcceptedUpdate,
  batch: Batch,
): string {
  const { nowMs } = batch;
  const prefix = shadowPrefix(key);
  publishDelta(key, version, texts, batch, { clientToken });
  const accepted = updateAcceptedText(written, version, nowMs, clientToken);
  // What only groups and types made of it has no request to be the answer to.
  if (asked || written.desired !== undefined || written.reported !== undefined)
    publish(batch, key, `${prefix}/update/accepted`, accepted);
  const previous = before === undefined ? undefined : stateText(before.texts, before.version);
  const documents = documentsText(previous, stateText(texts, version), nowMs, clientToken);
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
  { desired, reported }: DocumentTexts,
  batch: Batch,
  options: { readonly clientToken?: string | undefined; readonly to?: ClientLink },
): boolean {
  if (desired === undefined) return false;
  const delta = deltaOf(desired.value, reported?.value);
  if (delta === undefined) return false;
  const text = delta === desired.value ? desired : deltaText(delta, desired.stampTree);
  const message = deltaMessageText(text, version, batch.nowMs, options.clientToken);
  publish(batch, key, `${shadowPrefix(key)}/update/delta`, message, options.to);
  return true;
}

export function publish(batch: Batch, { device }: ShadowKey, topic: string, text: string, to?: ClientLink): void {
  const payload = Buffer.from(text);
  batch.publish(to === undefined ? { device, topic, payload } : { device, topic, payload, to });
}

function plain({ device, shadow }: ShadowKey): ShadowKey {
  return { device, shadow };
}

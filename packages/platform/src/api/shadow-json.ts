import { z } from 'zod';
import { isLeafStamp, type JsonObject, type LeafStamp, type ShadowDocument, type StampTree } from '../shadows/shadow-document.ts';
import type { ShadowHistoryEntry, ShadowSummary } from '../shadows/shadow-store.ts';
import { documentDelta, effectiveDesired } from '../shadows/shadow-view.ts';

const stateSchema = z.record(z.string(), z.unknown());

const nameSchema = z.string().optional().describe('Absent: the classic shadow, which has no name.');

export const shadowSchema = z
  .object({
    name: nameSchema,
    version: z.number().describe('From 1, one more with each change; goes on when the shadow is made again within 48 hours.'),
    desired: stateSchema.describe('What was asked of this device itself.'),
    inherited: stateSchema.optional().describe('What its groups and its type ask, where nothing else was asked of itself.'),
    effective: stateSchema.describe('What the device is to be: `inherited` with `desired` over it.'),
    reported: stateSchema.describe('What the device said it is.'),
    delta: stateSchema.optional().describe('What of `effective` the device has not reported so. Absent: nothing.'),
    metadata: z
      .object({ desired: stateSchema.optional(), inherited: stateSchema.optional(), reported: stateSchema.optional() })
      .describe('When each value was written: the same trees, with `{atMs, version}` for each value. An array is one value.'),
    createdAtMs: z.number(),
    updatedAtMs: z.number(),
  })
  .describe('A shadow: what a device is to be, and what it says it is.');

export const shadowSummarySchema = z
  .object({ name: nameSchema, version: z.number(), createdAtMs: z.number(), updatedAtMs: z.number() })
  .describe('A shadow, without its state.');

export const shadowHistorySchema = z
  .object({
    version: z.number().describe('That came of it.'),
    atMs: z.number(),
    by: z.string().describe('`device:sensor1`, `user:ann`, `api-key:…`, `system:…`'),
    change: z.enum(['updated', 'deleted']),
    desired: stateSchema.nullable().optional().describe('What was written; null: all of it was taken away.'),
    reported: stateSchema.nullable().optional(),
    inherited: stateSchema.nullable().optional().describe('What was inherited from then on.'),
  })
  .describe('A change of a shadow.');

/** A shadow as the API shows it. What was inherited stands apart. */
export function shadowToJson(shadow: string, document: ShadowDocument): z.input<typeof shadowSchema> {
  const { version, desired, inherited, reported, stamps, createdAtMs, updatedAtMs } = document;
  const delta = documentDelta(document);
  return {
    ...named(shadow),
    version,
    desired: mutable(desired ?? {}),
    ...(inherited !== undefined && { inherited: mutable(inherited) }),
    effective: mutable(effectiveDesired(document) ?? {}),
    reported: mutable(reported ?? {}),
    ...(delta !== undefined && { delta: mutable(delta) }),
    metadata: {
      ...(stamps.desired !== undefined && { desired: stampsToJson(stamps.desired) }),
      ...(stamps.inherited !== undefined && { inherited: stampsToJson(stamps.inherited) }),
      ...(stamps.reported !== undefined && { reported: stampsToJson(stamps.reported) }),
    },
    createdAtMs,
    updatedAtMs,
  };
}

export function shadowSummaryToJson({ shadow, ...summary }: ShadowSummary): z.input<typeof shadowSummarySchema> {
  return { ...named(shadow), ...summary };
}

export function shadowHistoryToJson(entry: ShadowHistoryEntry): z.input<typeof shadowHistorySchema> {
  const { version, atMs, author, kind, change } = entry;
  const { desired, reported, inherited } = change;
  return {
    version,
    atMs,
    by: author,
    change: kind,
    ...(desired !== undefined && { desired: mutable(desired) }),
    ...(reported !== undefined && { reported: mutable(reported) }),
    ...(inherited !== undefined && { inherited: mutable(inherited) }),
  };
}

function named(shadow: string): { name?: string } {
  return shadow === '' ? {} : { name: shadow };
}

/** The same object, as the types of the routes want it. */
function mutable(object: JsonObject): Record<string, unknown>;
function mutable(object: JsonObject | null): Record<string, unknown> | null;
function mutable(object: JsonObject | null): Record<string, unknown> | null {
  return object;
}

function stampsToJson(tree: StampTree): Record<string, unknown> {
  // Made from entries, so that a key called __proto__ is one like others.
  return Object.fromEntries(
    Object.entries(tree).map(([key, node]) => [key, isLeafStamp(node) ? stampToJson(node) : stampsToJson(node)]),
  );
}

function stampToJson([timestampSec, version, replica]: LeafStamp): Record<string, unknown> {
  return { atMs: timestampSec * 1000, version, ...(replica !== undefined && { replica }) };
}

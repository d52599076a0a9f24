import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyPatch, anySection, leavesOf, mergePatch } from './json.fixture.ts';
import { deltaMessageText, stateText } from './shadow-answers.ts';
import { deltaOf } from './shadow-delta.ts';
import { isJsonObject, type Json, type JsonObject } from './shadow-document.ts';
import { mergeUpdate, withInherited } from './shadow-merge.ts';
import { encodeDocument } from './shadow-row.ts';
import { metadataOf, shownOf } from './shown-shadow.ts';

/** Metadata as AWS has it: a timestamp in the place of everything that is neither an object nor an array. */
function stamped(value: Json, timestamp: (path: string) => number, at = ''): unknown {
  if (Array.isArray(value)) return value.map((element: Json) => stamped(element, timestamp, at));
  if (!isJsonObject(value)) return { timestamp: timestamp(at) };
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, stamped(child, timestamp, `${at}/${key}`)]));
}

const leafTimes = (section: JsonObject, times: ReadonlyMap<string, number>) =>
  stamped(section, (path) => {
    // What is in an array has the time of the array.
    for (let at = path; ; at = at.slice(0, at.lastIndexOf('/'))) {
      const time = times.get(at);
      if (time !== undefined) return time;
    }
  });

test('a document is shown with what it inherits, and the time of every leaf', () => {
  fc.assert(
    fc.property(anySection, fc.option(anySection), anyPatch, (first, inherited, patch) => {
      const old = mergeUpdate(undefined, { desired: first, reported: { r: 1 } }, { nowMs: 1_000, version: 1 });
      const base = inherited === null ? old : withInherited(old, inherited, { nowMs: 2_000, version: 2 });
      const document = mergeUpdate(base, { desired: patch }, { nowMs: 3_000, version: 3 });
      const shown = shownOf(document, encodeDocument(document).state);
      const desired = mergePatch(inherited ?? {}, document.desired ?? {}) as JsonObject;
      const own = leavesOf(document.stamps.desired ?? {});
      const isOver = (one: string, other: string) => `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`);
      const under = leavesOf(document.stamps.inherited ?? {}).filter(([at]) => !own.some(([over]) => isOver(at, over)));
      const times = new Map([...under, ...own].map(([at, [time]]) => [at, time]));
      const has = Object.keys(desired).length > 0;
      expect(JSON.parse(stateText(shown, metadataOf(shown)))).toEqual({
        state: { ...(has && { desired }), reported: { r: 1 } },
        metadata: { ...(has && { desired: leafTimes(desired, times) }), reported: { r: { timestamp: 1 } } },
        version: 3,
      });
    }),
  );
});

test('metadata that is taken from another version is what would be made', () => {
  fc.assert(
    fc.property(anySection, fc.constantFrom('desired', 'reported'), anyPatch, (first, section, patch) => {
      const old = mergeUpdate(undefined, { desired: first, reported: first }, { nowMs: 1_000, version: 1 });
      const before = shownOf(old, '{}');
      const after = shownOf(mergeUpdate(old, { [section]: patch }, { nowMs: 2_000, version: 2 }), '{}');
      expect(metadataOf(before, { shown: after, metadata: metadataOf(after) })).toEqual(metadataOf(before));
    }),
  );
});

test('the metadata of a delta is that of its leaves', () => {
  fc.assert(
    fc.property(anySection, anySection, (desired, reported) => {
      const document = mergeUpdate(undefined, { desired, reported }, { nowMs: 1_000, version: 1 });
      const delta = deltaOf(document.desired, document.reported);
      if (delta === undefined) return;
      expect(JSON.parse(deltaMessageText(delta, document.stamps.desired ?? {}, 1, 5_000, 't'))).toEqual({
        state: delta,
        metadata: stamped(delta, () => 1),
        version: 1,
        timestamp: 5,
        clientToken: 't',
      });
    }),
  );
});

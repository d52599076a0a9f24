import fc from 'fast-check';
import { expect, test } from 'vitest';
import { reindexIfOld } from '../../registry/device-reindex.ts';
import { postingsOf } from '../../registry/registry.fixture.ts';
import type { Json } from '../shadow-document.ts';
import { actor, id, Platform, report } from './platform.fixture.ts';

type Step =
  | { readonly kind: 'report'; readonly device: string; readonly shadow: string; readonly value: Json }
  | { readonly kind: 'delete' | 'add' | 'remove'; readonly device: string }
  | { readonly kind: 'declare' | 'drop'; readonly field: string }
  | { readonly kind: 'follow' | 'half' | 'restart' };

const FIELDS = ['shadow.reported.v', 'shadow.reported.v.w', 'shadow.config.reported.v'];
const device = fc.constantFrom('a', 'b', 'c', 'd');
const field = fc.constantFrom(...FIELDS);
const value = fc.constantFrom<Json>(
  null,
  1,
  2,
  'x',
  'y',
  true,
  ['x', 1],
  { w: 'x' },
  { w: [1, 'y'] },
  [{ w: 1 }, 'x'],
  'z'.repeat(300),
  '\0',
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('report' as const), device, shadow: fc.constantFrom('', 'config'), value }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('delete' as const, 'add' as const, 'remove' as const), device }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('declare' as const, 'declare' as const, 'drop' as const), field }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('follow' as const, 'half' as const, 'restart' as const) }) },
);

/** What the guide says of the values at a path, once more. */
function valuesAtPath(root: unknown, path: readonly string[]): readonly unknown[] {
  if (Array.isArray(root)) return root.flatMap((item) => valuesAtPath(item, path));
  const [name, ...rest] = path;
  if (name === undefined) return typeof root === 'object' || root === undefined ? [] : [root];
  return typeof root === 'object' && root !== null ? valuesAtPath((root as Record<string, unknown>)[name], rest) : [];
}

test('whatever happens in whatever order, in the end exactly those are found that have it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      await using platform = await Platform.open();
      const known = new Set<string>();
      const shadows = new Map<string, Json>();
      const declared = new Set<string>();
      for (const each of steps) {
        platform.registry.clock.advance(1);
        switch (each.kind) {
          case 'report':
            if (!known.has(each.device) && each.device !== 'd') break;
            await report(platform, each.device, { v: each.value }, each.shadow);
            shadows.set(`${each.device}/${each.shadow}`, each.value);
            break;
          case 'delete':
            if (!shadows.has(`${each.device}/`)) break;
            await platform.shadows.deleteShadow({ device: each.device, shadow: '', actor });
            shadows.delete(`${each.device}/`);
            break;
          case 'add':
            if (known.has(each.device)) break;
            await platform.purge();
            await platform.registry.devices.create({ id: id(each.device) });
            known.add(each.device);
            break;
          case 'remove':
            if (!known.delete(each.device)) break;
            await platform.removeDevice(each.device);
            // At once: what is said of it afterwards is of another one.
            await platform.purge();
            for (const shadow of ['', 'config']) shadows.delete(`${each.device}/${shadow}`);
            break;
          case 'declare':
            await platform.following.declare(each.field, actor);
            declared.add(each.field);
            break;
          case 'drop':
            await platform.following.drop(each.field, actor);
            declared.delete(each.field);
            break;
          case 'follow':
            await platform.following.follow();
            break;
          case 'restart':
            await platform.restart();
            break;
          case 'half':
            platform.isCutOff = true;
            await platform.following.follow().catch(() => undefined);
            platform.isCutOff = false;
            break;
        }
      }
      await platform.settled();
      for (const name of FIELDS) {
        if (!declared.has(name)) {
          await expect(platform.found(`${name} exists`)).rejects.toMatchObject({ code: 'request.invalid' });
          continue;
        }
        const [shadow, path] = name.includes('config') ? ['config', ['v']] : ['', name.split('.').slice(2)];
        const having = (wanted: (value: unknown) => boolean): readonly string[] =>
          [...known].filter((each) => valuesAtPath({ v: shadows.get(`${each}/${shadow}`) }, path).some(wanted)).toSorted();
        expect(await platform.found(`${name} exists`)).toEqual(having(() => true));
        expect(await platform.found(`${name} = "x"`)).toEqual(having((each) => each === 'x'));
        expect(await platform.found(`${name} >= 1`)).toEqual(having((each) => typeof each === 'number'));
        expect(await platform.found(`${name} like "*"`)).toEqual(having((each) => each === 'x' || each === 'y'));
        expect(await platform.found(`${name} = true`)).toEqual(having((each) => each === true));
      }
      const { database } = platform.registry;
      const kept = await postingsOf(database);
      await database.updateTable('registry_counter').set({ value: 0 }).where('name', '=', 'index-version').execute();
      await reindexIfOld(database);
      expect(await postingsOf(database)).toEqual(kept);
    }),
    { numRuns: 60 },
  );
});

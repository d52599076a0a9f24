import { expect, it } from 'vitest';
import { changesOf } from './changes-of.ts';

it('names each field that is different', () => {
  const before = { name: 'a', tags: ['x'], attributes: { site: { floor: 1, room: 'R' } }, same: 1, updatedAtMs: 1 };
  const after = { name: 'b', attributes: { site: { floor: 2, room: 'R' } }, same: 1, extra: {}, updatedAtMs: 2 };
  expect(changesOf(before, after)).toEqual([
    { path: 'name', before: 'a', after: 'b' },
    { path: 'tags', before: '["x"]', after: undefined },
    { path: 'attributes.site.floor', before: '1', after: '2' },
    { path: 'extra', before: undefined, after: '{}' },
  ]);
});

it('shows all of what is new, or gone, and nothing where there is neither', () => {
  expect(changesOf(undefined, { id: 'd1' })).toEqual([{ path: 'id', before: undefined, after: 'd1' }]);
  expect(changesOf({ id: 'd1' }, undefined)).toEqual([{ path: 'id', before: 'd1', after: undefined }]);
  expect(changesOf(undefined, undefined)).toEqual([]);
});

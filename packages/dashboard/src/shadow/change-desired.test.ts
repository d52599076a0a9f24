import { describe, expect, it } from 'vitest';
import type { Json } from '../api/json.ts';
import { Problem } from '../api/problem.ts';
import type { Shadow } from '../api/shadows.ts';
import { changeDesired, conflictsOf, type ShadowAccess } from './change-desired.ts';

const SECTIONS = {
  inherited: {},
  effective: {},
  reported: {},
  delta: {},
  metadata: { desired: {}, inherited: {}, reported: {} },
};
const shadowOf = (version: number, desired: Json): Shadow => ({ version, desired, updatedAtMs: 0, ...SECTIONS });
const moved = () => new Problem({ title: 'moved', detail: '', status: 412, code: 'request.precondition-failed' });

/** A server that has these shadows one after the other: each look, and each write that comes too late, shows the next. */
class Server implements ShadowAccess {
  readonly writes: [Json, number][] = [];
  readonly #states: (Shadow | undefined)[];

  constructor(...states: readonly (Shadow | undefined)[]) {
    this.#states = [...states];
  }

  readonly read = async () => (this.#states.length > 1 ? this.#states.shift() : this.#states[0]);

  readonly write = async (patch: Json, version: number) => {
    this.writes.push([patch, version]);
    if ((this.#states[0]?.version ?? 0) !== version) throw moved();
    return shadowOf(version + 1, patch);
  };
}

describe('a change of what is desired', () => {
  it('goes on over versions that did not touch what it writes', async () => {
    const base = shadowOf(4, { mode: 'eco', fan: 1 });
    const server = new Server(shadowOf(5, { mode: 'eco', fan: 2 }), shadowOf(6, { mode: 'eco', fan: 3 }));
    expect(await changeDesired(server, { mode: 'on' }, base)).toMatchObject({ kind: 'saved', shadow: { version: 7 } });
    expect(server.writes.map(([, version]) => version)).toEqual([4, 5, 6]);
  });

  it('stops where somebody else wrote the same field, and says what they wrote', async () => {
    const server = new Server(shadowOf(5, { mode: 'off' }));
    expect(await changeDesired(server, { mode: 'on' }, shadowOf(4, { mode: 'eco' }))).toEqual({
      kind: 'conflict',
      current: shadowOf(5, { mode: 'off' }),
      fields: [{ label: 'mode', before: 'eco', theirs: 'off', mine: 'on' }],
    });
    expect(server.writes).toHaveLength(1);
  });

  it('makes a shadow only where there is none, and stops where somebody made one with the same field', async () => {
    expect(await changeDesired(new Server(undefined), { mode: 'on' }, undefined)).toMatchObject({ kind: 'saved' });
    const made = new Server(shadowOf(1, { mode: 'off' }));
    expect(await changeDesired(made, { mode: 'on' }, undefined)).toMatchObject({ kind: 'conflict' });
    expect(made.writes).toEqual([[{ mode: 'on' }, 0]]);
  });

  it('stops where the shadow with the field is no more', async () => {
    const outcome = await changeDesired(new Server(undefined), { mode: 'on' }, shadowOf(4, { mode: 'eco' }));
    expect(outcome).toMatchObject({ kind: 'conflict', current: undefined, fields: [{ theirs: undefined }] });
  });

  it('gives up on other refusals at once, and on a version that never stands still in the end', async () => {
    const refusal = new Problem({ title: 'refused', detail: '', status: 422, code: 'shadow.refused' });
    const refusing: ShadowAccess = { read: async () => undefined, write: async () => await Promise.reject(refusal) };
    await expect(changeDesired(refusing, { mode: 'on' }, undefined)).rejects.toBe(refusal);
    let version = 10;
    const racing: ShadowAccess = { read: async () => shadowOf(version++, {}), write: async () => await Promise.reject(moved()) };
    await expect(changeDesired(racing, { mode: 'on' }, shadowOf(1, {}))).rejects.toMatchObject({ status: 412 });
  });

  it('is in no conflict with who wants the same', () => {
    expect(conflictsOf({ mode: 'on', fan: null }, { mode: 'eco', fan: 1 }, { mode: 'on' })).toEqual([]);
    expect(conflictsOf({ fan: null }, { fan: 1 }, { fan: 2 })).toEqual([{ label: 'fan', before: 1, theirs: 2, mine: null }]);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from './random.ts';
import { seedOfRun } from './seed-of-run.ts';

describe('what a run of the tests chooses at random', () => {
  it('is the same every time, unless another seed is given or drawn', () => {
    expect(seedOfRun('')).toBe(seedOfRun(undefined));
    expect(seedOfRun('-806075698')).toBe(-806_075_698);
    expect(new Set(Array.from({ length: 20 }, () => seedOfRun('random'))).size).toBeGreaterThan(1);
    for (const none of ['x', '1.5', '2147483648']) expect(() => seedOfRun(none)).toThrow(`SELSYN_SEED=${none} is no seed`);
  });

  it('follows from one seed, in properties and elsewhere', () => {
    const seed = Number(process.env['SELSYN_SEED']);
    expect(Random.ofRun('a test').seed).toBe(seed);
    const details = fc.check(fc.property(fc.nat(), () => true));
    expect(details.seed).toBe(seed);
  });

  it('is repeated by the command that the failure of a (sync or async) property ends with', async () => {
    const command = new RegExp(
      `SELSYN_SEED=${process.env['SELSYN_SEED']} SELSYN_PATH=[\\d:]+ npx vitest run ` +
        'test/harness/repeatable-properties.test.ts -t "what a run .* .sync or async. property ends with"$',
    );
    const isSmall = (n: number): boolean => n < 10;
    expect(() => fc.assert(fc.property(fc.nat(), isSmall))).toThrow(command);
    await expect(fc.assert(fc.asyncProperty(fc.nat(), async (n) => isSmall(n)))).rejects.toThrow(command);
    const cause = new Error('the first fault');
    const failing = fc.property(fc.nat(), () => {
      throw cause;
    });
    expect(() => fc.assert(failing)).toThrow(expect.objectContaining({ cause }));
  });
});

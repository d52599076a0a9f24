import { expect, it } from 'vitest';
import { resolutionWords } from './resolution-words.ts';

const DAY = 86_400_000;

it('says what a chart was made of, and from when on there are points', () => {
  expect(resolutionWords('raw', undefined, DAY)).toBe('Drawn of points.');
  expect(resolutionWords('1d', undefined, DAY)).toContain('of days');
  expect(resolutionWords('raw', DAY, 2 * DAY)).toMatch(
    /^Drawn of points\. Points before 1970-01-0\d .* were let go: drawn of hours/,
  );
  expect(resolutionWords('1h', DAY, 2 * DAY)).toMatch(/^Drawn of hours.* Points before 1970-01-0\d .* were let go\.$/);
  expect(resolutionWords('raw', 2 * DAY, 2 * DAY)).toMatch(/^The points of this time were let go/);
});

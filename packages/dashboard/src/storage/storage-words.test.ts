import { expect, it } from 'vitest';
import {
  archiveText,
  badObjectText,
  blockedText,
  conditionText,
  daysText,
  keptText,
  spanText,
  volumeWords,
} from './storage-words.ts';

it('says days as people do', () => {
  expect([7, 90, 365, 1826, 400, null].map(daysText)).toEqual(['7 d', '90 d', '1 y', '5 y', '400 d', 'for ever']);
  const effectiveDays = { raw: 7, hourly: 90, daily: null };
  expect(keptText({ keepDays: { raw: 7, daily: null }, effectiveDays }, 'daily')).toBe('for ever');
  expect(keptText({ keepDays: { raw: 7 }, effectiveDays }, 'hourly')).toBe('');
  expect(keptText({ keepDays: { hourly: 3 }, effectiveDays }, 'hourly')).toBe('3 d, really 90 d');
});

it('says what a policy is about', () => {
  expect(conditionText({ deviceType: 'boiler', group: '/acme', metric: 'vibration.*' })).toBe(
    'type boiler, in /acme, metric vibration.*',
  );
  expect(conditionText({ deviceType: undefined, group: undefined, metric: undefined })).toBe('everything else');
});

it('says what the archive gets, and whether that is of this disk', () => {
  const archive = { bytes: 5e9, bytesPerDay: 1e6, onVolume: true };
  expect(archiveText(archive)).toMatch(/^The archive on this disk has 5[.0]* GB and gets 1[.0]* MB every day\.$/);
  expect(archiveText({ ...archive, onVolume: false })).toMatch(/^The archive elsewhere has /);
});

it('says one day once', () => {
  expect(spanText({ from: '2026-11-01', to: '2026-11-01' })).toBe('2026-11-01');
  expect(spanText({ from: '2026-11-01', to: '2026-11-07' })).toBe('2026-11-01 … 2026-11-07');
  expect(spanText({ from: undefined, to: undefined })).toBe('');
});

it('warns only where space is short, and has a word for what it does not know', () => {
  expect(volumeWords('ok').note).toBe('');
  for (const state of ['low', 'short', 'refusing']) expect(volumeWords(state).note).not.toBe('');
  expect(blockedText('held')).toBe('kept by a legal hold');
  expect(blockedText('another')).toBe('another');
});

it('says why an archived object cannot be used, with the code where no word is known', () => {
  const message = 'the object device_type=m/… cannot be read';
  expect(badObjectText({ code: 'archive.object-gone', message })).toBe('gone');
  expect(badObjectText({ code: 'data.corrupt', message })).toMatch(/^damaged/);
  expect(badObjectText({ code: 'columnar.failed', message })).toBe(`${message} (columnar.failed)`);
});

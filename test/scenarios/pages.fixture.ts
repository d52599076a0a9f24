import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { findProgram } from '../harness/programs.ts';

/** Undefined: there is none on this machine. */
export const browserPath = findProgram('chromium');

/** For what a page shows or lets do next, on a busy machine too; a test has longer than for one such step. */
const STEP_MS = 90_000;
/** For a test of pages. */
export const PAGES_TIMEOUT_MS = 300_000;

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export async function launchBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath: browserPath ?? '', args: ARGS });
}

/** Opens an address as somebody new, and fails for whatever goes wrong on the page. */
export async function visitPage(
  browser: Browser,
  url: string,
  work: (page: Page, context: BrowserContext) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext();
  context.setDefaultTimeout(STEP_MS);
  const faults: string[] = [];
  try {
    const page = await context.newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      // A refusal is what some look for, and the browser notes it by itself.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text());
    });
    await page.goto(url);
    await work(page, context);
    expect(faults).toEqual([]);
  } finally {
    await context.close();
  }
}

import { existsSync } from 'node:fs';
import { isMainThread, workerData } from 'node:worker_threads';

/*
 * Preloaded into the server (NODE_OPTIONS=--import): once the file that DYING_THREAD_FILE names is there, one gateway thread ends,
 * in the way that DYING_THREAD_WAY says; or the thread that is given what DYING_THREAD_DATA names.
 */
const { DYING_THREAD_FILE: file = '', DYING_THREAD_WAY: way, DYING_THREAD_DATA: data } = process.env;
const place = workerData as { readonly data?: { readonly index?: number } } | null;
const given = place?.data ?? {};
if (!isMainThread && (data === undefined ? place?.data?.index === 1 : Object.hasOwn(given, data))) {
  setInterval(() => {
    if (!existsSync(file)) return;
    if (way === 'exit') process.exit(7);
    throw new Error('this thread was told to fail');
  }, 10).unref();
}

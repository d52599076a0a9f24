// Makes the checkout ready for `npm start`, `npm test` or `npm run bench`. Plain JavaScript: it runs on the machine's own
// Node (18 and later), before there is any other. Everything after it runs on the Node of node_modules.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const purpose = process.argv[2] ?? 'start';

/** What tests and benches run beside Selsyn: [the program that shows it is there, Debian's package]. */
const PEERS = {
  start: [],
  test: [
    ['mosquitto_pub', 'mosquitto-clients'],
    ['mosquitto', 'mosquitto'],
    ['chromium', 'chromium'],
    ['openssl', 'openssl'],
    ['curl', 'curl'],
    ['softhsm2-util', 'softhsm2'],
    ['influxd', 'influxdb'],
    ['influx', 'influxdb-client'],
    ['java', 'openjdk-17-jre-headless'],
    ['mvn', 'maven'],
    ['prometheus', 'prometheus'],
  ],
  bench: [
    ['cc', 'gcc libc6-dev'],
    ['/usr/include/openssl/ssl.h', 'libssl-dev'],
    ['openssl', 'openssl'],
    ['mosquitto', 'mosquitto'],
    ['victoria-metrics', 'victoria-metrics'],
    ['influxd', 'influxdb'],
    ['/usr/lib/postgresql/15/bin/postgres', 'postgresql-15'],
  ],
};

installPackages();
if (purpose !== 'bench') buildDashboard();
installPeers(PEERS[purpose] ?? []);

/**
 * What the lockfile says, when it has changed since the last time. Not `npm ci`: that refuses a lockfile without the optional
 * packages of other platforms, which registries do not always carry.
 */
function installPackages() {
  const stamp = join(root, 'node_modules', '.selsyn-installed');
  const wanted = digest([join(root, 'package-lock.json')]);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say('installing packages (once; half a minute or so)');
  persist(process.platform === 'win32' ? 'npm.cmd' : 'npm', [
    'install',
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]);
  writeFileSync(stamp, wanted);
}

/** Vite, when a source of the dashboard is newer than what was built: told by content, not by time. */
function buildDashboard() {
  const home = join(root, 'packages', 'dashboard');
  const stamp = join(home, 'dist', '.built-from');
  const wanted = digest([
    join(home, 'index.html'),
    join(home, 'vite.config.ts'),
    join(root, 'package-lock.json'),
    ...filesBelow(join(home, 'src')),
  ]);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say('building the dashboard');
  const node = join(root, 'node_modules', 'node', 'bin', 'node');
  run(existsSync(node) ? node : process.execPath, [
    join(root, 'node_modules', 'vite', 'bin', 'vite.js'),
    'build',
    '--logLevel',
    'warn',
    home,
  ]);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

/** Debian's packages where this is Debian and we may install; otherwise one line that says what is missing. */
function installPeers(peers) {
  const missing = peers.filter(([program]) => !onPath(program)).map(([, names]) => names);
  if (missing.length === 0) return;
  const names = missing.join(' ').split(' ');
  const mayInstall = onPath('apt-get') && process.getuid?.() === 0;
  if (!mayInstall) {
    say(`not installed: ${names.join(', ')}: what needs them is skipped (sudo apt-get install ${names.join(' ')})`);
    return;
  }
  say(`installing ${names.join(', ')}`);
  const quiet = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  // Another program, as one that updates the machine, may hold dpkg's lock for some minutes.
  const patient = ['-qq', '-o', 'Acquire::Retries=5', '-o', 'DPkg::Lock::Timeout=600'];
  persist('apt-get', ['update', ...patient], quiet);
  persist('apt-get', ['install', '-y', ...patient, '--no-install-recommends', ...names], {
    ...quiet,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function onPath(program) {
  if (program.startsWith('/')) return existsSync(program);
  return (process.env.PATH ?? '')
    .split(':')
    .concat('/usr/sbin')
    .some((folder) => existsSync(join(folder, program)));
}

function filesBelow(folder) {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? filesBelow(path) : [path];
    });
}

function digest(paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(path.slice(root.length)).update('\0').update(readFileSync(path)).update('\0');
  return hash.digest('hex');
}

/** What needs the network or a lock may fail by chance: it is tried again, each time after a longer pause. */
function persist(command, args, options) {
  for (const pauseSeconds of [5, 20, 60]) {
    const why = failureOf(command, args, options);
    if (why === undefined) return;
    say(`${why}; trying again in ${pauseSeconds} s`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseSeconds * 1_000);
  }
  run(command, args, options);
}

function run(command, args, options) {
  const why = failureOf(command, args, options);
  if (why === undefined) return;
  say(why);
  process.exit(1);
}

/** Runs it. @returns {string | undefined} undefined where it succeeded */
function failureOf(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (result.status === 0) return undefined;
  const why = result.error ? result.error.message : result.signal ? `ended by ${result.signal}` : `exit code ${result.status}`;
  return `${command} ${args.slice(0, 2).join(' ')} failed: ${why}`;
}

function say(text) {
  process.stderr.write(`selsyn setup: ${text}\n`);
}

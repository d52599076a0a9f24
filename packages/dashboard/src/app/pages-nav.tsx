import { Link } from '@tanstack/react-router';
import { DATA_PAGES } from '../data/data-pages.ts';
import { useWho } from '../session/who.ts';
import styles from './shell.module.css';

/** The pages that whoever is signed in may see something of. */
export function PagesNav() {
  const signedIn = useWho();
  const { may, mayEverywhere } = signedIn;
  return (
    <nav className={styles.nav} aria-label="Pages">
      <Link to="/" className={styles.tab} activeOptions={{ exact: true, includeSearch: false }}>
        Devices
      </Link>
      {DATA_PAGES.some(({ isFor }) => isFor(signedIn)) && (
        <Link to="/telemetry" className={styles.tab}>
          Telemetry
        </Link>
      )}
      {(may('jobs:read') || may('shadows:read')) && (
        <Link to="/jobs" className={styles.tab} activeOptions={{ includeSearch: false }}>
          Jobs
        </Link>
      )}
      {may('provisioning:read') && (
        <Link to="/provisioning" className={styles.tab} activeOptions={{ includeSearch: false }}>
          Provisioning
        </Link>
      )}
      {(may('certificates:read') || may('checks:read')) && (
        <Link to="/security" className={styles.tab} activeOptions={{ includeSearch: false }}>
          Security
        </Link>
      )}
      {may('audit:read') && (
        <Link to="/audit" className={styles.tab} activeOptions={{ includeSearch: false }}>
          Audit
        </Link>
      )}
      {mayEverywhere('server:read') && (
        <Link to="/server" className={styles.tab}>
          Server
        </Link>
      )}
    </nav>
  );
}

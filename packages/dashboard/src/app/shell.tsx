import { ActionIcon, Tooltip } from '@mantine/core';
import { Link, Outlet } from '@tanstack/react-router';
import { useServices } from './services.ts';
import { ColorSchemeToggle } from './color-scheme-toggle.tsx';
import { ConnectionBanner } from './connection-banner.tsx';
import { LiveIndicator } from './live-indicator.tsx';
import { Icon } from '../ui/icons.tsx';
import { Logo } from '../ui/logo.tsx';
import styles from './shell.module.css';

/** The frame of every page: where one is, whether the page is live, and the way out. */
export function Shell() {
  const { session } = useServices();
  return (
    <>
      <a className={styles.skip} href="#content">
        Skip to content
      </a>
      <header className={styles.header}>
        <div className={styles.bar}>
          <Link to="/" className={styles.brand} aria-label="Selsyn, all devices">
            <Logo />
            <span className={styles.wordmark}>Selsyn</span>
          </Link>
          <nav className={styles.nav} aria-label="Pages">
            <Link to="/" className={styles.tab} activeOptions={{ exact: true, includeSearch: false }}>
              Devices
            </Link>
            <Link to="/server" className={styles.tab}>
              Server
            </Link>
          </nav>
          <LiveIndicator />
          <ColorSchemeToggle />
          <Tooltip label="Sign out">
            <ActionIcon variant="subtle" color="petrol" aria-label="Sign out" onClick={() => session.signOut('none')}>
              <Icon name="exit" />
            </ActionIcon>
          </Tooltip>
        </div>
      </header>
      <main id="content" className={styles.content} tabIndex={-1}>
        <Outlet />
      </main>
      <ConnectionBanner />
    </>
  );
}

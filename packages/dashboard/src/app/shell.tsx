import { Link, Outlet } from '@tanstack/react-router';
import { ColorSchemeToggle } from './color-scheme-toggle.tsx';
import { ConnectionBanner } from './connection-banner.tsx';
import { LiveIndicator } from './live-indicator.tsx';
import { PagesNav } from './pages-nav.tsx';
import { UserMenu } from './user-menu.tsx';
import { Logo } from '../ui/logo.tsx';
import styles from './shell.module.css';

/** The frame of every page: where one is, whether the page is live, and the way out. */
export function Shell() {
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
          <PagesNav />
          <LiveIndicator />
          <ColorSchemeToggle />
          <UserMenu />
        </div>
      </header>
      <main id="content" className={styles.content} tabIndex={-1}>
        <Outlet />
      </main>
      <ConnectionBanner />
    </>
  );
}

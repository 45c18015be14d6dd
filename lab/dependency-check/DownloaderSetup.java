import org.owasp.dependencycheck.Engine;
import org.owasp.dependencycheck.data.update.CachedWebDataSource;
import org.owasp.dependencycheck.utils.Downloader;
import org.owasp.dependencycheck.utils.InvalidSettingException;

/**
 * A data source without data. Engines from 11 on leave it to their caller to set up downloads, which
 * the command line of 9.2.0 does not know; data sources of plug-ins are asked before all others.
 */
public class DownloaderSetup implements CachedWebDataSource {
    @Override
    public boolean update(Engine engine) {
        try {
            Downloader.getInstance().configure(engine.getSettings());
        } catch (InvalidSettingException error) {
            throw new IllegalStateException(error);
        }
        return false;
    }

    @Override
    public boolean purge(Engine engine) {
        return true;
    }
}

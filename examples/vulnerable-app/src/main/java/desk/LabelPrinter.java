package desk;

import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/** Prints the label of a parcel, and logs whatever the sender wrote on it. */
public class LabelPrinter {
    private static final Logger LOG = LogManager.getLogger(LabelPrinter.class);
    private static final String PASSWORD = "parcels-and-labels";

    public String print(String number, String sender) throws Exception {
        LOG.info("label for {}", sender);
        Connection desk = DriverManager.getConnection("jdbc:h2:./desk", "desk", PASSWORD);
        Statement query = desk.createStatement();
        ResultSet found = query.executeQuery("SELECT town FROM parcels WHERE number = '" + number + "'");
        return found.next() ? found.getString(1) : stamp(number);
    }

    private String stamp(String number) throws Exception {
        byte[] digest = MessageDigest.getInstance("MD5").digest(number.getBytes());
        return new java.math.BigInteger(1, digest).toString(16);
    }
}
